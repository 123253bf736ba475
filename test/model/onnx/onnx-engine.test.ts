// The onnx engine as a classifier: rows in, the same rows out, off the main thread, and nothing left behind.
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { FeatureBatch } from '../../../src/pipeline/batch.ts'
import type { Classifier } from '../../../src/pipeline/classifier.ts'
import { openOnnxClassifier, openOnnxEngine } from '../../../src/model/onnx/onnx-engine.ts'
import { answerGolden, identityOf } from '../../../src/model/open.ts'
import { forestGraph } from '../../../src/model/onnx/forest-graph.ts'
import { isWithinTolerance } from '../../../src/model/bundle/golden.ts'
import { importOnnx } from '../../../src/model/onnx/import-graph.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { taxonomyOf } from '../../../src/model/bundle/manifest.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const sampleModel = fileURLToPath(new URL('../../../samples/model', import.meta.url))
const fixtures = fileURLToPath(new URL('../../fixtures/onnx/', import.meta.url))
const folder = temporaryFolder()
let count = 0
const newFolder = () => join(folder, String(count++))

const bundle = await readBundle(sampleModel)
const { features } = bundle.manifest

function openSample(cacheFolder: string, threads = 1): Promise<Classifier> {
  return openOnnxEngine(bundle, { directory: sampleModel, cacheFolder, identity: identityOf(bundle), threads })
}

/** Rows that differ from one another, from `first` on. */
function batchOf(rowCount: number, first = 0): FeatureBatch {
  const matrix = Float32Array.from({ length: rowCount * features.length }, (_, index) => {
    return Math.sin((first * features.length + index) * 12.9898) * 50
  })
  const oids = Array.from({ length: rowCount }, (_, row) => `ZTF${first + row}`)
  return { rowCount, oids, candids: oids.map((_, row) => BigInt(first + row)), matrix }
}

/** A bundle of somebody else's graph, whose golden answers are those of scikit-learn. */
async function openTheirs(graph: string, cacheFolder: string): Promise<Classifier> {
  const directory = newFolder()
  const read = (name: string) => JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as never
  const options = { source: join(fixtures, graph), name: 'theirs', version: '3', out: directory }
  const goldenDir = join(fixtures, graph.replace(/-.*/, '-golden'))
  await importOnnx({ ...options, features: read('features.json'), taxonomy: read('taxonomy.json'), goldenDir })
  const theirs = await readBundle(directory)
  const classifier = await openOnnxEngine(theirs, { directory, cacheFolder, identity: identityOf(theirs), threads: 1 })
  expect(isWithinTolerance(await answerGolden(classifier, theirs.golden))).toBe(true)
  return classifier
}

describe('the onnx engine', () => {
  it('reproduces the golden answers of a bundle of forests within 1e-6, but not in every bit', async () => {
    const classifier = await openSample(newFolder())
    const comparison = await answerGolden(classifier, bundle.golden)
    await classifier.close()
    expect(isWithinTolerance(comparison)).toBe(true)
    expect(comparison.differing).toBeGreaterThan(0)
  })

  it('answers every batch with its own rows in their order, however large and however many at once', async () => {
    const classifier = await openSample(newFolder(), 2)
    const whole = await classifier.classify(batchOf(2500))
    const sizes = [1, 7, 0, 1024, 1025, 443]
    let next = 0
    const parts = await Promise.all(sizes.map((rows) => classifier.classify(batchOf(rows, (next += rows) - rows))))
    await classifier.close()
    expect(parts.map(({ rowCount }) => rowCount)).toEqual(sizes)
    expect(parts.flatMap(({ oids }) => oids)).toEqual(whole.oids)
    expect(parts.flatMap(({ candids }) => candids)).toEqual(whole.candids)
    whole.taxonomy.levels.forEach((_, level) => {
      expect(parts.flatMap(({ probabilities }) => [...probabilities[level]!])).toEqual([...whole.probabilities[level]!])
    })
    expect(whole.classifierVersion).toBe('sample_forest_1.5.2')
  })

  it('carries along what outputs echo, and the messages', async () => {
    const classifier = await openSample(newFolder())
    const echo = { names: ['a'], values: new Float64Array(3) }
    const answer = await classifier.classify({ ...batchOf(3), echo, messages: [] })
    await classifier.close()
    expect(answer.echo).toBe(echo)
    expect(answer.messages).toEqual([])
  })

  it('takes rows that are a view of something larger, and leaves the rest of it alone', async () => {
    const classifier = await openSample(newFolder())
    const { matrix, ...batch } = batchOf(3)
    const larger = new Float32Array(matrix.length + 10).fill(5)
    larger.set(matrix, 4)
    const answer = await classifier.classify({ ...batch, matrix: larger.subarray(4, matrix.length + 4) })
    expect(answer.probabilities).toEqual((await classifier.classify(batchOf(3))).probabilities)
    expect([larger.length, larger[0], larger[matrix.length + 9]]).toEqual([matrix.length + 10, 5, 5])
    await expect(classifier.classify({ ...batchOf(3), rowCount: 2 })).rejects.toThrow('a batch of 2 rows has')
    await classifier.close()
  })

  it('leaves the main thread free while it computes', async () => {
    const classifier = await openSample(newFolder())
    const batch = batchOf(20_000)
    const before = performance.eventLoopUtilization()
    await classifier.classify(batch)
    const { utilization } = performance.eventLoopUtilization(before)
    await classifier.close()
    // 1 where it computes itself, even if timers come between two turns of it; hardly anything where it only waits
    expect(utilization).toBeLessThan(0.8)
  })

  it('finishes what is under way when it is closed, and then classifies nothing more', async () => {
    const classifier = await openSample(newFolder())
    const under = classifier.classify(batchOf(3000))
    await classifier.close()
    await classifier.close()
    expect((await under).rowCount).toBe(3000)
    await expect(classifier.classify(batchOf(1))).rejects.toThrow('closed')
  })

  it('opens a bundle that holds a graph, and does not touch the cache', async () => {
    const cacheFolder = newFolder()
    const classifier = await openTheirs('forest-zipmap.onnx', cacheFolder)
    expect(classifier.taxonomy.levels.map(({ classes }) => classes)).toEqual([['CV/Nova', 'AGN', 'RRL', 'CEP', 'SNIa']])
    await classifier.close()
    expect(existsSync(cacheFolder)).toBe(false)
  })

  it('refuses the rows that a graph answers with no numbers, and classifies the others', async () => {
    const classifier = await openTheirs('network-matrix.onnx', newFolder())
    const matrix = Float32Array.from({ length: 18 }, (_, i) => (i >= 6 && i < 12 ? -3.4e38 : i / 10))
    const oids = ['first', 'second', 'third']
    const echo = { names: ['x', 'y'], values: Float64Array.of(1, 2, 3, 4, 5, 6) }
    const batch = { rowCount: 3, oids, candids: [1n, 2n, null], matrix, echo }
    const alone = { ...batch, rowCount: 1, oids: ['third'], candids: [null], matrix: matrix.slice(12) }
    const answer = await classifier.classify(batch)
    expect(answer).toMatchObject({ rowCount: 2, oids: ['first', 'third'], candids: [1n, null] })
    expect(answer.echo).toEqual({ names: ['x', 'y'], values: Float64Array.of(1, 2, 5, 6) })
    const { probabilities } = await classifier.classify({ ...alone, echo: undefined })
    await classifier.close()
    probabilities[0]!.forEach((value, i) => expect(answer.probabilities[0]![5 + i]).toBeCloseTo(value, 6))
    const reason = 'the model answers with something that is not a number'
    expect(answer.unanswered).toEqual([{ oid: 'second', where: 'second', reason, candid: 2n, message: undefined }])
  })

  it('refuses a graph that is not the one of the model', async () => {
    const model = { ...bundle.manifest, taxonomy: taxonomyOf(bundle.manifest), identity: identityOf(bundle) }
    const open = (graph: string | Uint8Array, changes = {}) => openOnnxClassifier({ ...model, graph, ...changes }, 1)
    await expect(open(join(fixtures, 'no-labels.onnx'))).rejects.toMatchObject({
      exitCode: 4,
      message: expect.stringContaining('has 6 features and 1 outputs') as string,
    })
    await expect(open(join(fixtures, 'forest-zipmap.onnx'))).rejects.toThrow('holds no probabilities')
    await expect(open(join(folder, 'absent.onnx'))).rejects.toMatchObject({ exitCode: 4 })
    await expect(open(Buffer.from('no graph'))).rejects.toMatchObject({ exitCode: 4 })
    const { graph } = await forestGraph(bundle, newFolder())
    const levels = model.taxonomy.levels.map((level) => ({ ...level, classes: [...level.classes, 'one more'] }))
    const classifier = await open(graph, { taxonomy: { levels } })
    await expect(classifier.classify(batchOf(1))).rejects.toThrow('gives 15 columns for lc_classifier, which has 16')
    await classifier.close()
  })
})

describe('the graph of a bundle of forests', () => {
  it('is made once and kept under the sha256 of the bundle', async () => {
    const cache = join(newFolder(), 'deep')
    const made = await forestGraph(bundle, cache)
    expect(made).toEqual({ graph: join(cache, `${bundle.sha256}-graph2.onnx`), isFresh: true })
    const before = statSync(made.graph as string).mtimeMs
    expect(await forestGraph(bundle, cache)).toEqual({ ...made, isFresh: false })
    expect(statSync(made.graph as string).mtimeMs).toBe(before)
    await forestGraph({ ...bundle, sha256: 'f'.repeat(64) }, cache)
    expect(readdirSync(cache).length).toBe(2)
  })

  it('is done without a cache where none can be', async () => {
    const file = newFolder()
    writeFileSync(file, '')
    const { graph, isFresh } = await forestGraph(bundle, join(file, 'cache'))
    expect(graph).toBeInstanceOf(Uint8Array)
    expect(isFresh).toBe(true)
    const classifier = await openSample(join(file, 'cache'))
    expect(isWithinTolerance(await answerGolden(classifier, bundle.golden))).toBe(true)
    await classifier.close()
  })

  it('is made again where the file in the cache is damaged', async () => {
    const cache = newFolder()
    const { graph } = await forestGraph(bundle, cache)
    const whole = readFileSync(graph as string)
    for (const damaged of [whole.subarray(0, 5000), Buffer.alloc(0), readFileSync(join(fixtures, 'no-labels.onnx'))]) {
      writeFileSync(graph as string, damaged)
      const classifier = await openSample(cache)
      expect(isWithinTolerance(await answerGolden(classifier, bundle.golden))).toBe(true)
      await classifier.close()
      expect(readFileSync(graph as string).equals(whole)).toBe(true)
    }
  })

  it('leaves the bundle as it was', async () => {
    const copy = newFolder()
    mkdirSync(copy)
    cpSync(sampleModel, copy, { recursive: true })
    const before = readdirSync(copy)
    const options = { directory: copy, cacheFolder: newFolder(), identity: identityOf(bundle), threads: 1 }
    const classifier = await openOnnxEngine(await readBundle(copy), options)
    await classifier.close()
    expect(readdirSync(copy)).toEqual(before)
  })
})

describe('a process that ends while onnxruntime is at work', () => {
  /** Ends as asked, and says how. */
  async function ending(how: string, signal?: NodeJS.Signals) {
    const { graph } = await forestGraph(bundle, join(folder, 'process'))
    const script = fileURLToPath(new URL('onnx-process.ts', import.meta.url))
    const args = ['--import', 'tsx', script, how, graph as string, String(features.length)]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdout.on('data', () => (signal === undefined ? undefined : child.kill(signal)))
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
    return { code, stderr }
  }

  it.each(['exit', 'loading'])('%s keeps its exit code and says nothing', async (how) => {
    expect(await ending(how)).toEqual({ code: 3, stderr: '' })
  })

  it('by an error tells of that error', async () => {
    const { code, stderr } = await ending('throw')
    expect(code).toBe(1)
    expect(stderr).toContain('on purpose')
    expect(stderr).not.toContain('Napi')
  })

  it('by a signal has the exit code of its handler', async () => {
    expect(await ending('signal', 'SIGINT')).toEqual({ code: 130, stderr: '' })
  })

  it('ends by itself with an engine that nobody closed', async () => {
    expect(await ending('idle')).toEqual({ code: 0, stderr: '' })
  })
})
