// Sample objects and their answers, drawn again and again, for tests of the watch.
import { join } from 'node:path'
import { openConnector } from '../../../src/connectors/open-connector.ts'
import { randomNumbers } from '../../../src/model/bundle/golden.ts'
import { openClassifier } from '../../../src/model/open.ts'
import type { AlarmChange } from '../../../src/model/watch/alarm.ts'
import { createNightWatch, type NightWatch } from '../../../src/model/watch/night-watch.ts'
import { readOptions } from '../../../src/pipeline/source.ts'
import { samples } from '../../support/lcclf.ts'

const classifier = await openClassifier(join(samples, 'model'), { threads: 1 })
const { features } = classifier
export const { taxonomy } = classifier
const { missing } = classifier.preprocessing
const width = features.length
const { oids, matrix } = await sampleRows()

async function sampleRows(): Promise<{ oids: readonly string[]; matrix: Float32Array }> {
  const source = await openConnector(join(samples, 'ztf-300.parquet')).source(readOptions(classifier))
  for await (const { batch } of source.deliveries(new AbortController().signal)) {
    await source.close()
    return { oids: batch.oids, matrix: Float32Array.from(batch.matrix) }
  }
  throw new Error('no samples')
}

/** What is done to objects on their way. */
export type Change = (value: number, feature: string) => number

const unchanged: Change = (value) => value

/** Null in these. */
export const without =
  (names: readonly string[]): Change =>
  (value, feature) =>
    names.includes(feature) ? missing : value

/** Values of a feature that are there, changed. */
export const changed =
  (name: string, change: (value: number) => number): Change =>
  (value, feature) =>
    feature === name && value !== missing ? change(value) : value

export const wise = ['W1-W2', 'W2-W3', 'g-W2', 'g-W3', 'r-W2', 'r-W3']

const answers = new Map<Change, readonly Float64Array[]>()

async function answersOf(change: Change, rows: Float32Array): Promise<readonly Float64Array[]> {
  const known = answers.get(change)
  if (known) return known
  const batch = { rowCount: oids.length, oids, candids: oids.map(() => null), matrix: rows.slice() }
  const { probabilities } = await classifier.classify(batch)
  answers.set(change, probabilities)
  return probabilities
}

/** A watch, and objects for it: drawn by chance, the same for the same seed. */
export function openReplay(options: Partial<Parameters<typeof createNightWatch>[0]> = {}, seed = 1) {
  const random = randomNumbers(seed)
  const changes: AlarmChange[] = []
  const said: string[] = []
  let seen = 0
  const watch: NightWatch = createNightWatch({
    ...{ features, missing, taxonomy, profile: undefined, ...options },
    onChange(change) {
      changes.push(change)
      said.push(`${change.event}: ${change.text}`)
    },
  })
  return {
    watch,
    changes,
    said,
    /** @param mjd of all of them; `pick`: which of the sample's objects may come, by the place of their top class */
    async feed(count: number, change: Change = unchanged, { mjd, pick }: { mjd?: number; pick?: () => number } = {}) {
      const rows = matrix.map((value, cell) => change(value, features[cell % width]!))
      const probabilities = await answersOf(change, rows)
      const top = topClasses(probabilities[1]!)
      for (let from = 0; from < count; from += 250) {
        const wanted = Math.min(250, count - from)
        const chosen = Array.from({ length: wanted }, () => draw(random, top, pick?.()))
        const batch = {
          ...{
            rowCount: wanted,
            oids: chosen.map((row, i) => `${oids[row]}-${seen + i}`),
            candids: chosen.map(() => null),
          },
          ...(mjd === undefined ? {} : { mjds: new Float64Array(wanted).fill(mjd) }),
        }
        seen += wanted
        watch.see({ ...batch, matrix: picked(rows, chosen, width) })
        const own = probabilities.map((level, l) => picked(level, chosen, taxonomy.levels[l]!.classes.length))
        watch.seeAnswers({ ...batch, taxonomy, classifierVersion: 'x_1', probabilities: own })
      }
    },
    random,
  }
}

function draw(random: () => number, top: readonly number[], wanted: number | undefined): number {
  for (;;) {
    const row = Math.floor(random() * oids.length)
    if (wanted === undefined || top[row] === wanted) return row
  }
}

function topClasses(probabilities: Float64Array): number[] {
  const classes = taxonomy.levels[1]!.classes.length
  return oids.map((_, row) => {
    const own = probabilities.subarray(row * classes, (row + 1) * classes)
    return own.indexOf(Math.max(...own))
  })
}

function picked<T extends Float32Array | Float64Array>(values: T, rows: readonly number[], size: number): T {
  const taken = new (values.constructor as new (length: number) => T)(rows.length * size)
  rows.forEach((row, i) => taken.set(values.subarray(row * size, (row + 1) * size), i * size))
  return taken
}
