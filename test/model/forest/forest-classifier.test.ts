// The forest engine behind the classifier's contract: threads, order, hand-over, closing.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import type { FeatureBatch } from '../../../src/pipeline/batch.ts'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import { openForestClassifier, startForestThreads } from '../../../src/model/forest/forest-classifier.ts'
import type { Classifier } from '../../../src/pipeline/classifier.ts'
import type { ForestModel } from '../../../src/model/forest/forest-classifier.ts'
import { evaluate, forestOf, randomNumbers } from './random-forests.ts'
import type { Tree } from './random-forests.ts'

const features = ['a', 'b', 'c']
const levels = [
  { branch: null, classes: ['Hot', 'Cold'] },
  { branch: 'Hot', classes: ['sun', 'fire', 'lamp'] },
  { branch: 'Cold', classes: ['ice', 'moon'] },
]
const names = ['top', 'hot', 'cold']
const hierarchy = { taxonomy: { Hot: ['sun', 'fire', 'lamp'], Cold: ['ice', 'moon'] }, levels }

const model: ForestModel = {
  parts: levels.map((_, level) => ({ level, trees: 3, nodes: 0, steps: [], sum: null, calibration: null })),
  forests: levels.map(({ classes }, index) => {
    const random = randomNumbers(index)
    const grow = (depth: number): Tree =>
      depth === 0 || random() < 0.1
        ? { fractions: classes.map(() => random()) }
        : {
            feature: Math.floor(random() * 3),
            threshold: Math.round(random() * 100),
            left: grow(depth - 1),
            right: grow(depth - 1),
          }
    return { ...forestOf([grow(8), grow(8), grow(8)], classes.length), classes }
  }),
  hierarchy,
  taxonomy: {
    levels: [
      { classifierName: 'x', prefix: '', branch: null, classes: ['sun', 'fire', 'lamp', 'ice', 'moon'] },
      ...levels.map(({ branch, classes }, i) => ({
        classifierName: `x_${names[i]!}`,
        prefix: names[i]!,
        branch,
        classes,
      })),
    ],
  },
  identity: { name: 'x', version: '1', classifierVersion: 'x_1', sha256: '' },
  features,
  preprocessing: alercePreprocessing,
}

function batchOf(rowCount: number, seed: number): FeatureBatch {
  const random = randomNumbers(seed)
  return {
    rowCount,
    oids: Array.from({ length: rowCount }, (_, i) => `${seed}-${i}`),
    candids: Array.from({ length: rowCount }, (_, i) => BigInt(i)),
    matrix: Float32Array.from({ length: rowCount * 3 }, () => Math.round(random() * 101)),
  }
}

function expectedOf({ matrix, rowCount }: FeatureBatch): Float64Array[] {
  const floats = Float32Array.from(matrix)
  const each = model.forests.map((forest) => evaluate({ forest, features: 3 }, floats, rowCount))
  const [top, hot, cold] = each as [Float64Array, Float64Array, Float64Array]
  const product = Array.from({ length: rowCount }, (_, row) => [
    ...[0, 1, 2].map((i) => top[row * 2]! * hot[row * 3 + i]!),
    ...[0, 1].map((i) => top[row * 2 + 1]! * cold[row * 2 + i]!),
  ])
  return [Float64Array.from(product.flat()), ...each]
}

const open: Classifier[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((classifier) => classifier.close()))
})

async function openIt(threads: number): Promise<Classifier> {
  const classifier = await openForestClassifier(model, startForestThreads(threads))
  open.push(classifier)
  return classifier
}

describe('the forest classifier', () => {
  it.each([1, 2, 3])('answers many batches at once, each its own, with %i threads', async (threads) => {
    const classifier = await openIt(threads)
    const sizes = [1000, 1, 2, 3, 0, 130, 4, 5, 2500, 6, 7, 8, 9, 1000, 40, 1000]
    const batches = sizes.map((rowCount, seed) => batchOf(rowCount, seed))
    const expected = batches.map(expectedOf)
    const answers = await Promise.all(batches.map((batch) => classifier.classify(batch)))
    answers.forEach((answer, i) => {
      expect(answer.rowCount).toBe(sizes[i])
      expect(answer.oids).toBe(batches[i]!.oids)
      expect(answer.candids).toBe(batches[i]!.candids)
      expect(answer.classifierVersion).toBe('x_1')
      expect(answer.taxonomy).toBe(model.taxonomy)
      expect(answer.probabilities.map((values) => [...values])).toEqual(expected[i]!.map((values) => [...values]))
    })
  })

  it('carries along what outputs echo, and the messages', async () => {
    const classifier = await openIt(1)
    for (const rowCount of [1, 100]) {
      const echo = { names: ['a'], values: new Float64Array(rowCount) }
      const answer = await classifier.classify({ ...batchOf(rowCount, 1), echo, messages: [] })
      expect(answer.echo).toBe(echo)
      expect(answer.messages).toEqual([])
    }
  })

  it('says what a pipeline must know', async () => {
    const classifier = await openIt(2)
    expect(classifier.features).toBe(features)
    expect(classifier.preprocessing).toBe(alercePreprocessing)
    expect(classifier.parallelism).toBeGreaterThan(2)
  })

  it('takes a matrix that is part of a larger buffer, and leaves the rest alone', async () => {
    const classifier = await openIt(1)
    const batch = batchOf(200, 1)
    const larger = new Float32Array(1000)
    larger.set(batch.matrix, 100)
    const part = larger.subarray(100, 700)
    const { probabilities } = await classifier.classify({ ...batch, matrix: part })
    expect(probabilities).toEqual(expectedOf(batch))
    expect(larger).toHaveLength(1000)
    expect(larger[100]).toBe(batch.matrix[0])
  })

  it('hands a whole buffer over without copying it', async () => {
    const classifier = await openIt(1)
    const batch = batchOf(200, 1)
    await classifier.classify(batch)
    expect(batch.matrix).toHaveLength(0)
  })

  it('refuses a matrix of another size instead of answering for other rows', async () => {
    const classifier = await openIt(1)
    const batch = batchOf(200, 1)
    await expect(classifier.classify({ ...batch, rowCount: 199 })).rejects.toThrow('a batch of 199 rows has 600 values')
    await expect(classifier.classify({ ...batch, rowCount: 1 })).rejects.toThrow('a batch of 1 rows has 600 values')
  })

  it('closes with batches under way and answers no more', async () => {
    const classifier = await openIt(2)
    const underWay = Promise.allSettled(
      Array.from({ length: 6 }, (_, seed) => classifier.classify(batchOf(20_000, seed))),
    )
    await classifier.close()
    for (const outcome of await underWay) {
      if (outcome.status === 'rejected') expect(String(outcome.reason)).toBe('Error: the classifier was closed')
    }
    for (const rowCount of [1, 100]) {
      await expect(classifier.classify(batchOf(rowCount, 1))).rejects.toThrow('the classifier was closed')
    }
    await classifier.close()
  })

  it('keeps no process alive, neither idle nor closed', async () => {
    const script = `
      import { openForestClassifier, startForestThreads } from './src/model/forest/forest-classifier.ts'
      const forest = { classes: ['A'], roots: Uint32Array.of(0), feature: Int16Array.of(-1), threshold: Float64Array.of(0),
        left: Uint32Array.of(0), leaf: Uint32Array.of(0), leaves: Float64Array.of(1) }
      const parts = [{ level: 0, trees: 1, nodes: 1, steps: [], sum: null, calibration: null }]
      const classifier = await openForestClassifier({ forests: [forest], parts, hierarchy: { taxonomy: null, levels: [] },
        taxonomy: { levels: [] }, identity: {}, features: ['a'], preprocessing: {} }, startForestThreads(2))
      const { probabilities } = await classifier.classify({ rowCount: 5, oids: [], candids: [], matrix: new Float32Array(5) })
      console.log(probabilities[0].join())
      if (process.argv.includes('close')) await classifier.close()`
    for (const last of ['close', 'leave']) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', script, last],
        { timeout: 50_000 },
      )
      expect(stdout).toBe('1,1,1,1,1\n')
    }
  })
})
