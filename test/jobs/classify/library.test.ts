import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  classifyObjects,
  type Classifier,
  type ClassifiedObject,
  DataError,
  InterruptedError,
  type ObjectToClassify,
  openModel,
  type ReadOptions,
  type Reject,
  runClassify,
  type Sink,
  type Source,
  UsageError,
} from '../../../src/index.ts'
import { samples } from '../../support/lcclf.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const csv = join(samples, 'ztf-300.csv.gz')
const work = temporaryFolder()
let model: Classifier

beforeAll(async () => {
  model = await openModel(undefined, { threads: 1 })
})
afterAll(() => model.close())

/** The sample's rows; an empty cell is null. */
function sampleRows(): ObjectToClassify[] {
  const [header, ...rows] = gunzipSync(readFileSync(csv)).toString().trimEnd().split('\n')
  const names = header!.split(',')
  return rows.map((row) => {
    const cells = row.split(',').map((cell, i): [string, string | number | null] => {
      return [names[i]!, /^(oid|candid)$/.test(names[i]!) ? cell : cell === '' ? null : Number(cell)]
    })
    return Object.fromEntries(cells) as unknown as ObjectToClassify
  })
}

interface NestedRow {
  readonly oid: string
  readonly lc_classification: { class: string; probabilities: object; hierarchical: { top: object; children: object } }
}

describe('classifyObjects', () => {
  it('gives what classify writes, bit for bit and in order, for flat records and for features apart', async () => {
    const to = join(work, 'classified.ndjson')
    expect(await runClassify({ inputs: [csv], to: [to], model, idColumn: 'oid' })).toMatchObject({ exitCode: 0 })
    const written = readFileSync(to, 'utf8').trimEnd().split('\n')
    const flat = sampleRows()
    const answers = await classifyObjects(model, flat)
    const apart = flat.map(({ oid, candid, ...features }) => ({ oid, candid, features }) as ObjectToClassify)
    expect(await classifyObjects(model, apart)).toEqual(answers)
    const asWritten = ({ oid, class: name, probabilities, levels: { top, ...children } }: ClassifiedObject) => {
      const capital = (branch: string) => branch[0]!.toUpperCase() + branch.slice(1)
      const named = Object.fromEntries(Object.entries(children).map(([branch, shares]) => [capital(branch), shares]))
      return { oid, lc_classification: { probabilities, class: name, hierarchical: { top, children: named } } }
    }
    const rows = written.map((line) => JSON.parse(line) as NestedRow)
    expect(answers.map(asWritten)).toEqual(rows.map(({ oid, lc_classification }) => ({ oid, lc_classification })))
    expect(answers.every((one) => one.probability === Math.max(...Object.values(one.probabilities)))).toBe(true)
    expect(answers[0]!.candid).toBe(flat[0]!.candid)
  })

  it('takes null, undefined and NaN for missing, and answers nothing for nothing', async () => {
    const [row] = sampleRows()
    const [feature] = model.features
    const variants = [null, undefined, NaN].map((value) => ({ ...row!, [feature!]: value }))
    const [first, ...others] = await classifyObjects(model, variants)
    expect(others).toEqual([first, first])
    expect(await classifyObjects(model, [])).toEqual([])
  })

  it.each<[string, (feature: string) => Record<string, unknown>, RegExp]>([
    ['a value that is no number', (feature) => ({ [feature]: '0.5' }), /^object \w+: \S+ is not a number$/],
    ['a value beyond float32', (feature) => ({ [feature]: -1e300 }), /^object \w+: \S+ is beyond float32$/],
    ['an oid that is missing', () => ({ oid: '' }), /^object .*oid is missing$/],
    ['a candid that is none', () => ({ candid: 1.5 }), /^object \w+: candid is not an int64$/],
  ])('refuses %s, and names object and feature', async (_, change, message) => {
    const rows = sampleRows().slice(0, 2)
    const wrong = [rows[0]!, { ...rows[1]!, ...change(model.features[3]!) }]
    const refused = classifyObjects(model, wrong)
    await expect(refused).rejects.toThrow(DataError)
    await expect(refused).rejects.toThrow(message)
  })

  it('refuses an object that does not name a feature', async () => {
    const features = Object.fromEntries(model.features.slice(1).map((name) => [name, 0]))
    const refused = classifyObjects(model, [{ oid: 'a', features }])
    await expect(refused).rejects.toThrow(`object a: ${model.features[0]} is missing`)
  })
})

describe.each(['forest', 'onnx'] as const)('a matrix that nobody preprocessed, by the %s engine', (engine) => {
  /** in the first feature of each row: what float32 holds of them, and what the command reads */
  const values = [NaN, Infinity, -Infinity, 1e33, 3.4e38, 1e32, -1e33, 0.1, -999, -0]
  const rows = sampleRows().slice(0, values.length)
  let asked: Classifier
  beforeAll(async () => {
    asked = await openModel(undefined, { engine, threads: 1 })
  })
  afterAll(() => asked.close())

  /** Some rows of the sample, each with one of the values in its features. */
  function batchOf(some: readonly ObjectToClassify[], first = 0) {
    const matrix = Float32Array.from(
      some.flatMap((row, r) =>
        asked.features.map((feature, f) => (f % 7 === 0 ? values[first + r]! : ((row[feature] as number) ?? NaN))),
      ),
    )
    const oids = some.map(({ oid }) => String(oid))
    return { rowCount: some.length, oids, candids: oids.map(() => null), matrix }
  }

  async function commandAnswers() {
    const file = join(work, `raw-${engine}.csv`)
    const cells = rows.map((row, r) =>
      asked.features.map((feature, f) => (f % 7 === 0 ? String(values[r]) : String(row[feature] ?? ''))),
    )
    const lines = [['oid', ...asked.features], ...cells.map((line, r) => [rows[r]!.oid, ...line])]
    writeFileSync(file, lines.map((line) => line.map((cell) => String(cell)).join(',')).join('\n'))
    const probabilities: (readonly Float64Array[])[] = []
    const onBatch = ({ classified }: { classified: { probabilities: readonly Float64Array[] } }) =>
      void probabilities.push(classified.probabilities)
    const receipt = await runClassify({ inputs: [file], model: asked, onBatch })
    expect(receipt.inputs[0]).toMatchObject({ read: values.length, classified: values.length })
    expect(probabilities).toHaveLength(1)
    return probabilities[0]!
  }

  it('is answered as the command answers its values, in every bit, handed to threads or not', async () => {
    const expected = await commandAnswers()
    expect((await asked.classify(batchOf(rows))).probabilities).toEqual(expected)
    const [product] = expected
    for (const [r, row] of rows.entries()) {
      const { probabilities } = await asked.classify(batchOf([row], r))
      const width = probabilities[0]!.length
      expect(probabilities[0]).toEqual(product!.subarray(r * width, (r + 1) * width))
    }
  })

  it('is refused if it is of another size or kind', async () => {
    const batch = batchOf(rows)
    const short = asked.classify({ ...batch, matrix: batch.matrix.slice(1) })
    await expect(short).rejects.toThrow(UsageError)
    await expect(short).rejects.toThrow(/^a batch of 10 rows has \d+ values, not \d+ a row$/)
    for (const matrix of [Float64Array.from(batch.matrix), [...batch.matrix], undefined]) {
      const wrong = asked.classify({ ...batch, matrix: matrix as never })
      await expect(wrong).rejects.toThrow('the matrix of a batch is not a Float32Array')
    }
  })
})

/** Three rows and one that is rejected, in the order of the model's features. */
function ownSource({ features, preprocessing }: ReadOptions): Promise<Source> {
  const matrix = new Float32Array(3 * features.length).fill(preprocessing.missing)
  const acknowledge = vi.fn(() => Promise.resolve())
  return Promise.resolve({
    identity: { address: 'mine' },
    schema: { oidType: 'string', hasCandid: false },
    replayable: false,
    async *deliveries() {
      const batch = { rowCount: 3, oids: ['a', 'b', 'c'], candids: [null, null, null], matrix }
      const rejected = [{ oid: 'd', where: 'mine row 4', reason: 'a is not a number' }]
      yield await Promise.resolve({ batch, read: 4, rejected, duplicates: 0, ack: acknowledge })
      expect(acknowledge).toHaveBeenCalledTimes(0)
    },
    close: () => Promise.resolve(),
  })
}

function ownSink(): Sink & { readonly oids: string[]; readonly done: string[] } {
  const oids: string[] = []
  const done: string[] = []
  const note = (what: string) => () => Promise.resolve(void done.push(what))
  return {
    ...{ address: 'own', durable: 'on-finish', oids, done },
    write: (batch) => {
      oids.push(...batch.oids)
      return Promise.resolve({ objects: batch.rowCount, rows: batch.rowCount, refused: [], superseded: 0 })
    },
    finish: note('finish'),
    publish: note('publish'),
    close: note('close'),
  }
}

describe('runClassify', () => {
  it('takes sources, sinks and rejects of a program, beside files, and answers the receipt', async () => {
    const sink = ownSink()
    const rejected: (readonly Reject[])[] = []
    const onBatch = vi.fn()
    const to = [sink, join(work, 'mine.csv')]
    const rejects = (some: readonly Reject[]) => void rejected.push(some)
    const receipt = await runClassify({ inputs: [csv, ownSource], to, model, rejects, onBatch, batchSize: 200 })
    expect(receipt).toMatchObject({
      balanced: true,
      exitCode: 0,
      inputs: [
        { address: csv, read: 300, classified: 300 },
        { address: 'mine', read: 4, classified: 3, rejected: 1 },
      ],
      outputs: [
        { address: 'own', objects: 303 },
        { address: to[1], objects: 303 },
      ],
    })
    expect(sink.oids.slice(-3)).toEqual(['a', 'b', 'c'])
    expect(sink.done).toEqual(['finish', 'publish', 'close'])
    expect(rejected).toMatchObject([[{ oid: 'd' }]])
    expect(onBatch).toHaveBeenCalledTimes(3)
  })

  it('needs an output, or somebody who takes the batches', async () => {
    await expect(runClassify({ inputs: [csv], model })).rejects.toThrow(UsageError)
    let objects = 0
    const receipt = await runClassify({
      inputs: [csv],
      model,
      onBatch: ({ classified }) => void (objects += classified.rowCount),
    })
    expect([objects, receipt.exitCode, receipt.outputs]).toEqual([300, 0, []])
  })

  it('stops at its signal and publishes nothing', async () => {
    const controller = new AbortController()
    const to = join(work, 'stopped.csv')
    const run = runClassify({
      ...{ inputs: [csv], to: [to], model, batchSize: 10, signal: controller.signal },
      onProgress: () => controller.abort(),
    })
    await expect(run).rejects.toThrow(InterruptedError)
    await expect(run).rejects.toThrow('interrupted: nothing was published')
    expect(existsSync(to)).toBe(false)
  })

  it('writes nothing to the terminal, and says who answers', async () => {
    const written = vi.spyOn(process.stderr, 'write')
    const lines: string[] = []
    await runClassify({ inputs: [csv], to: [ownSink()], onMessage: (line) => lines.push(line) })
    expect(written).not.toHaveBeenCalled()
    expect(lines.join()).toContain('demonstration')
    written.mockRestore()
  })
})
