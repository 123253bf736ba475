// Files of joblib, compressed or not, with bytes changed, moved, cut out or put in: an error of ours, or a whole forest.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { findBrokenTree, findUnsafeNode } from '../../../src/model/bundle/forest.ts'
import { openModelFile } from '../../../src/model/container/model-file.ts'
import { readEstimator } from '../../../src/model/sklearn/estimator.ts'
import { unpickle } from '../../../src/model/sklearn/pickle/unpickle.ts'
import { packedFixture } from '../../support/models-of-today.ts'
import { mutate, mutation } from '../../support/mutations.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** more of them: LCCLF_MUTANTS=100000 npx vitest run test/model/container/mutated-containers.test.ts */
const mutants = Number(process.env['LCCLF_MUTANTS'] ?? 3000)

const read = (name: string) => packedFixture(`joblib/${name}.joblib`)
const packed = ['zlib', 'gzip', 'bz2', 'xz', 'lz4'].map(read)
const plain = read('plain')
/** half of the mutants have their damage in the pickle and in the arrays between, packed or not; half in the packing */
const seeds: readonly { bytes: Buffer; pack: (bytes: Buffer) => Buffer }[] = [
  ...Array.from({ length: 4 }, () => ({ bytes: plain, pack: (bytes: Buffer) => bytes })),
  { bytes: plain, pack: (bytes) => gzipSync(bytes, { level: 1 }) },
  ...packed.map((bytes) => ({ bytes, pack: (damaged: Buffer) => damaged })),
]

async function readForestFile(path: string) {
  const file = await openModelFile(path)
  try {
    const value = unpickle(file.content, file.label)
    return readEstimator(value, { label: file.label, fileSize: file.content.size })
  } finally {
    await file.digest()
    await file.close()
  }
}

describe('damaged files of joblib', { tags: ['long'] }, () => {
  it('are refused with a ModelError, or read as forests that are whole, within two seconds each', async () => {
    const path = join(temporaryFolder(), 'model.joblib')
    const counts = { refused: 0, read: 0 }
    let slowest = 0
    const property = fc.asyncProperty(
      fc.nat(seeds.length - 1),
      fc.array(mutation, { minLength: 1, maxLength: 3 }),
      async (seed, mutations) => {
        const { bytes, pack } = seeds[seed]!
        writeFileSync(path, pack(mutations.reduce(mutate, bytes)))
        const start = process.cpuUsage()
        try {
          const { forests } = await readForestFile(path)
          counts.read++
          expect(findUnsafeNode(forests[0]!, 32_767)).toBeNull()
          expect(findBrokenTree(forests[0]!)).toBeNull()
        } catch (error) {
          if (!(error instanceof ModelError)) throw error
          counts.refused++
        }
        const { user, system } = process.cpuUsage(start)
        slowest = Math.max(slowest, (user + system) / 1000)
      },
    )
    await fc.assert(property, { numRuns: mutants, seed: 20_251_129 })
    expect(counts.refused).toBeGreaterThan(mutants / 10)
    expect(counts.read).toBeGreaterThan(mutants / 20)
    expect(slowest).toBeLessThan(2000)
    if (mutants > 3000) process.stderr.write(`${JSON.stringify({ ...counts, slowest })}\n`)
  }, 7_200_000)
})
