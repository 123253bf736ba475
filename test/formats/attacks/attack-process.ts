// Run by a test: reads so many attacks of one format, and says before each which it is, so that the one that ends it is known.
import { readFileSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openSource } from '../../../src/connectors/open-connector.ts'
import { LcclfError } from '../../../src/errors.ts'
import { loadLz4Frame, loadZstd, unpackSnappyFrame } from '../../../src/formats/compression.ts'
import { unpackModel } from '../../../src/jobs/models/unpack.ts'
import { readNames } from '../../../src/model/sklearn/pickle/names.ts'
import { unpickle } from '../../../src/model/sklearn/pickle/unpickle.ts'
import { readForest } from '../../model/sklearn/pickle/read-pickled.ts'
import { features, fileSpec, fixture, readOptions } from '../../support/objects.ts'
import { frameAttack, pickleAttack, tarAttack } from './archive-attacks.ts'
import { arrowAttack } from './arrow-attack.ts'
import { createDice, type Dice } from './dice.ts'
import { parquetAttack } from './parquet-attack.ts'
import { csvAttack, gzipAttack, ndjsonAttack } from './text-attacks.ts'

const [format, folder, from, count] = process.argv.slice(2) as [string, string, string, string]
const few = features.slice(0, 3)
const path = join(folder, 'attack')

/** Rows, rejects that add up with them, or an error that says in one line what is wrong. */
async function readFile(bytes: Buffer, kind: 'csv' | 'ndjson' | 'arrow' | 'parquet'): Promise<boolean> {
  writeFileSync(path, bytes)
  const options = readOptions({ features: few, allowance: { remaining: 100_000 } })
  const source = await openSource(fileSpec(path, kind, 'attack'), options)
  let rows = 0
  try {
    for await (const { batch, read, rejected } of source.deliveries(new AbortController().signal)) {
      if (read !== batch.rowCount + rejected.length) throw new Error('a delivery does not add up')
      rows += batch.rowCount
    }
  } finally {
    await source.close()
  }
  return rows > 0
}

const parquets = [
  'pyarrow-zstd.parquet',
  'polars.parquet',
  'pyarrow-v2-pages.parquet',
  'candid-lists.parquet',
  'pyarrow-categories.parquet',
]

const attacks: Record<string, (dice: Dice) => Promise<boolean>> = {
  csv: (dice) => readFile(csvAttack(dice, few), 'csv'),
  ndjson: (dice) => readFile(ndjsonAttack(dice, few), 'ndjson'),
  gzip: (dice) =>
    dice.chance(0.5)
      ? readFile(gzipAttack(dice, csvAttack(dice, few)), 'csv')
      : readFile(gzipAttack(dice, ndjsonAttack(dice, few)), 'ndjson'),
  arrow: async (dice) => readFile(await arrowAttack(dice, few), 'arrow'),
  parquet: (dice) => readFile(parquetAttack(dice, readFileSync(fixture(dice.pick(parquets)))), 'parquet'),
  async tar(dice) {
    writeFileSync(path, tarAttack(dice))
    await unpackModel(path, join(folder, 'unpacked'), 'attack')
    return true
  },
  pickle(dice) {
    const bytes = pickleAttack(dice)
    const value = unpickle(bytes, 'attack')
    for (const read of [() => readNames(value, 'attack'), () => readForest(bytes)]) {
      try {
        read()
      } catch (error) {
        if (!(error instanceof LcclfError)) throw error
      }
    }
    return Promise.resolve(true)
  },
  async frames(dice) {
    const { codec, frame, size } = await frameAttack(dice)
    try {
      if (codec === 'snappy') unpackSnappyFrame(frame)
      else if (codec === 'lz4') (await loadLz4Frame())(frame, size)
      else (await loadZstd()).decompress(frame, size)
      return true
    } catch {
      // whoever reads a frame says what it belongs to
      return false
    }
  },
}

const attack = attacks[format]!
const seen = { format, cases: 0, read: 0, refused: 0, slowestMs: 0, slowest: 0, peakMB: 0, largest: 0 }
for (let seed = Number(from); seed < Number(from) + Number(count); seed++) {
  writeSync(2, `${seed}\n`)
  const dice = createDice(seed)
  const start = process.cpuUsage()
  try {
    seen[(await attack(dice)) ? 'read' : 'refused']++
  } catch (error) {
    if (!(error instanceof LcclfError)) throw error
    if (!/^[^\n]+$/.test(error.message)) throw new Error(`case ${seed}: an error of several lines`, { cause: error })
    seen.refused++
  }
  const { user, system } = process.cpuUsage(start)
  const ms = (user + system) / 1000
  if (ms > seen.slowestMs) [seen.slowestMs, seen.slowest] = [ms, seed]
  const peakMB = process.resourceUsage().maxRSS / 1024
  if (peakMB > seen.peakMB + 20) seen.largest = seed
  seen.peakMB = Math.max(seen.peakMB, peakMB)
  seen.cases++
}
writeSync(1, `${JSON.stringify(seen)}\n`)
