// Models with something wrong in them: bytes, or members of their document.
import { ModelError } from '../../src/errors.ts'
import { findUnsafeNode } from '../../src/model/bundle/forest.ts'
import type { Estimator } from '../../src/model/estimator.ts'
import { runPlainly } from './plain-estimator.ts'

/** Numbers below 1 that are always the same ones (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Some bytes changed, cut off, taken out or repeated; mostly near the beginning, where the structure is. */
export function damageBytes(bytes: Buffer, random: () => number): Buffer {
  const at = Math.floor(bytes.length * (random() < 0.5 ? random() : random() ** 4))
  const end = Math.min(bytes.length, at + 1 + Math.floor(random() ** 8 * bytes.length))
  const copy = Buffer.from(bytes)
  switch (Math.floor(random() * 6)) {
    case 0:
      return copy.subarray(0, at)
    case 1:
      return Buffer.concat([copy.subarray(0, at), copy.subarray(end)])
    case 2:
      return Buffer.concat([copy.subarray(0, end), copy.subarray(at)])
    case 3:
      for (let i = at; i < Math.min(at + 8, copy.length); i++) copy[i] = Math.floor(random() * 256)
      return copy
    case 4:
      copy[at] = [0, 1, 0x7f, 0x80, 0xff, 0x5b, 0x7b, 0x24][Math.floor(random() * 8)]!
      return copy
    default:
      copy[at]! ^= 1 << Math.floor(random() * 8)
      return copy
  }
}

const odd: readonly unknown[] = [
  ...[null, true, '', 'x', -1, 0, 1, 2, 3, 0.5, 1e9, 2 ** 31, 2 ** 53, -0.1, 1e308, [], {}, [[]], '-1', '1e999', '99'],
  ...['9'.repeat(15), [0], ['a'], { __proto__: null }, '[1,2,3]', '[NaN]', 'dart', 'reg:squarederror'],
]

/** One member of a document changed, taken out, or exchanged for another. */
export function damageDocument(document: unknown, random: () => number): unknown {
  const copy: unknown = structuredClone(document)
  const places: { holder: Record<string, unknown>; key: string }[] = []
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return
    const holder = value as Record<string, unknown>
    const keys = Object.keys(holder)
    // of a long list some are enough
    const some = keys.length > 30 ? [0, 1, 2, 3].map(() => keys[Math.floor(random() * keys.length)]!) : keys
    for (const key of some) {
      places.push({ holder, key })
      visit(holder[key])
    }
  }
  visit(copy)
  const pick = () => places[Math.floor(random() * places.length)]!
  const { holder, key } = pick()
  const choice = random()
  if (choice < 0.15) Reflect.deleteProperty(holder, key)
  else if (choice < 0.3) {
    const other = pick()
    holder[key] = structuredClone(other.holder[other.key])
  } else if (choice < 0.5 && typeof holder[key] === 'number') holder[key] = Math.floor(random() * 100) - 5
  else holder[key] = structuredClone(odd[Math.floor(random() * odd.length)])
  return copy
}

/** What became of damaged models. */
export interface Verdict {
  refused: number
  read: number
  /** milliseconds of the slowest, of the processor's */
  slowest: number
}

/**
 * Reads damaged models: each must be refused with a ModelError, or be one that can be walked.
 *
 * @param readOne makes and reads one
 */
export function readDamaged(count: number, readOne: () => Estimator): Verdict {
  const verdict: Verdict = { refused: 0, read: 0, slowest: 0 }
  for (let i = 0; i < count; i++) {
    const start = process.cpuUsage()
    try {
      check(readOne())
      verdict.read++
    } catch (error) {
      if (!(error instanceof ModelError)) throw error
      verdict.refused++
    }
    const { user, system } = process.cpuUsage(start)
    verdict.slowest = Math.max(verdict.slowest, (user + system) / 1000)
  }
  return verdict
}

function check(estimator: Estimator): void {
  const { featureCount, forests, parts } = estimator
  forests.forEach((forest, i) => {
    const wide = parts[i]!.steps.reduce(
      (width, step) => (step.kind === 'columns' ? step.indices.length : width),
      featureCount,
    )
    const unsafe = findUnsafeNode(forest, wide)
    if (unsafe !== null) throw new Error(unsafe)
  })
  const run = runPlainly(estimator, new Float64Array(featureCount * 2).fill(0.5))
  estimator.evaluate(run.matrix, run.rows.length)
}
