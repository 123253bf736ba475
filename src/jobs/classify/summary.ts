// What a run says at its end, for people.
import { statSync } from 'node:fs'
import type { ClassifyPlan } from './plan.ts'
import type { Receipt } from './receipt.ts'
import type { Source } from '../../pipeline/source.ts'
import type { Input } from '../../connectors/input-names.ts'

const shownReasons = 5

/** The closing lines of a run on stderr. */
export function summaryOf(receipt: Receipt, seconds: number, plan: Pick<ClassifyPlan, 'rejects'>): string[] {
  const sum = (key: 'read' | 'classified' | 'rejected' | 'duplicates') =>
    receipt.inputs.reduce((total, input) => total + input[key], 0)
  const rejected = sum('rejected')
  const duplicates = sum('duplicates')
  const counts = [
    `${number(sum('read'))} read`,
    `${number(sum('classified'))} classified`,
    ...(rejected > 0 ? [`${number(rejected)} rejected`] : []),
    ...(duplicates > 0 ? [`${number(duplicates)} older duplicates`] : []),
  ]
  const rate = number(Math.round(sum('classified') / Math.max(seconds, 1e-3)))
  const lines = [`${counts.join(', ')} in ${seconds.toFixed(1)} s (${rate} objects/s)`]
  for (const output of receipt.outputs) {
    if (output.address !== '-') lines.push(outputLine(output))
  }
  const refused = receipt.outputs.reduce((total, output) => total + output.refused, 0)
  if (rejected + refused > 0) lines.push(...rejectionLines(receipt, plan.rejects))
  lines.push(...receipt.notes)
  const failed = receipt.inputs.filter((input) => input.error !== undefined).length
  if (failed > 0) lines.push(`${number(failed)} inputs could not be read; the others are done`)
  if (!receipt.balanced) lines.push('The receipt does not add up: rows were lost or counted twice. Please report this.')
  return lines
}

function outputLine({ address, objects, rows, refused, superseded }: Receipt['outputs'][number]): string {
  const more = [
    ...(superseded > 0 ? [`${number(superseded)} superseded by newer alerts`] : []),
    ...(refused > 0 ? [`${number(refused)} refused`] : []),
  ]
  return [`${address}: ${number(objects)} objects, ${number(rows)} rows`, ...more].join(', ')
}

function rejectionLines(receipt: Receipt, rejects: string | undefined): string[] {
  const reasons = new Map<string, number>()
  for (const part of [...receipt.inputs, ...receipt.outputs]) {
    for (const [reason, count] of Object.entries(part.reasons)) reasons.set(reason, (reasons.get(reason) ?? 0) + count)
  }
  const sorted = [...reasons].sort(([, a], [, b]) => b - a)
  const lines = sorted.slice(0, shownReasons).map(([reason, count]) => `  ${number(count)} × ${reason}`)
  if (sorted.length > shownReasons) lines.push(`  and ${sorted.length - shownReasons} other reasons (in the receipt)`)
  lines.push(rejects === undefined ? '  --rejects FILE.ndjson keeps them' : `  they are in ${rejects}`)
  return lines
}

function number(value: number): string {
  return value.toLocaleString('en')
}

// How much of all inputs was read, by their sizes.

/** Follows a run from input to input. */
export interface InputMeter {
  begin(input: Input): void
  /** of all inputs, 0 to 1; NaN where it cannot be told (stdin) */
  fraction(source: Source): number
}

/** Weighs inputs by their bytes. */
export function createInputMeter(inputs: readonly Input[]): InputMeter {
  const sizes = new Map(inputs.map((input) => [input, sizeOf(input)]))
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  let done = 0
  let current = 0
  return {
    begin(input) {
      done += current
      current = sizes.get(input) ?? 0
    },
    fraction: (source) => (done + current * (source.fractionRead?.() ?? NaN)) / total,
  }
}

function sizeOf({ spec }: Input): number {
  if (spec.kind === 's3') return spec.size
  return spec.kind === 'file' ? (statSync(spec.path, { throwIfNoEntry: false })?.size ?? 0) : NaN
}
