import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { DataError } from '../../src/errors.ts'
import { type BatchReport, classifyInput } from '../../src/pipeline/classify-input.ts'
import { createLedger } from '../../src/pipeline/ledger.ts'
import type { Delivery, Source } from '../../src/pipeline/source.ts'
import { memorySink, testClassifier, testFeatures } from '../support/kafka-stream.ts'

function deliveryOf(oids: readonly string[]): Delivery {
  const rowCount = oids.length
  const matrix = new Float32Array(rowCount * testFeatures.length)
  const batch = { rowCount, oids, candids: oids.map((_, i) => BigInt(i)), matrix }
  return { batch, read: rowCount, rejected: [], duplicates: 0, ack: () => Promise.resolve() }
}

function sourceOf(deliveries: Source['deliveries']): Source {
  const schema = { oidType: 'string', hasCandid: true } as const
  return { identity: { address: 'here' }, schema, replayable: false, deliveries, close: () => Promise.resolve() }
}

/** Some batches, and then nothing until it is told to end: a quiet topic, an idle pipe. */
function quietAfter(deliveries: readonly Delivery[]): Source {
  return sourceOf(async function* (signal) {
    yield* deliveries
    if (!signal.aborted) await once(signal, 'abort')
  })
}

const forever = new AbortController().signal
const ignore = (): Promise<void> => Promise.resolve()

describe('classifyInput', () => {
  it('ends with the error of a classifier that fails while the source is quiet', async () => {
    const classifier = { ...testClassifier(), classify: () => Promise.reject(new DataError('a thread has died')) }
    const source = quietAfter([deliveryOf(['a'])])
    const run = classifyInput({ source, classifier, sinks: [memorySink()], signal: forever, onBatch: ignore })
    await expect(run).rejects.toThrow('a thread has died')
  })

  it('writes the batches before the one that fails', async () => {
    const sink = memorySink()
    const good = testClassifier()
    const classifier = {
      ...good,
      classify: (batch: Delivery['batch']): Promise<ClassifiedBatch> =>
        batch.oids.includes('c') ? Promise.reject(new DataError('not these')) : good.classify(batch),
    }
    const source = quietAfter([deliveryOf(['a', 'b']), deliveryOf(['c'])])
    await expect(
      classifyInput({ source, classifier, sinks: [sink], signal: forever, onBatch: ignore }),
    ).rejects.toThrow('not these')
    expect(sink.batches.flatMap(({ oids }) => oids)).toEqual(['a', 'b'])
  })

  it('counts what the model has no numbers for as rejected', async () => {
    const good = testClassifier()
    const classifier = {
      ...good,
      async classify(batch: Delivery['batch']): Promise<ClassifiedBatch> {
        const [first, ...rest] = batch.oids
        const others = { ...batch, rowCount: rest.length, oids: rest, candids: batch.candids.slice(1) }
        return { ...(await good.classify(others)), unanswered: [{ oid: first!, where: first!, reason: 'no number' }] }
      },
    }
    const ledger = createLedger()
    const input = ledger.openInput({ address: 'here' })
    const reports: BatchReport[] = []
    const source = sourceOf(async function* () {
      yield await Promise.resolve(deliveryOf(['a', 'b', 'c']))
    })
    await classifyInput({
      source,
      classifier,
      sinks: [memorySink()],
      signal: forever,
      onBatch(report) {
        reports.push(report)
        ledger.count(input, [], { ...report, classified: report.classified.rowCount })
        return Promise.resolve()
      },
    })
    expect(input).toMatchObject({ read: 3, classified: 2, rejected: 1, reasons: { 'no number': 1 } })
    expect(ledger.isBalanced).toBe(true)
    expect(reports[0]!.delivery.batch.oids).toEqual(['b', 'c'])
  })

  it.each([
    ['32 batches of a thousand rows', 32, 1000, undefined],
    ['eight batches of ten thousand rows', 8, 10_000, undefined],
    ['eight batches of messages', 8, 1, []],
  ])('reads %s ahead at most, however many threads there are', async (_, bound, rowCount, messages) => {
    let taken = 0
    let underWay = 0
    let most = 0
    const good = testClassifier()
    const classifier = {
      ...good,
      parallelism: 128,
      async classify(batch: Delivery['batch']): Promise<ClassifiedBatch> {
        most = Math.max(most, ++underWay)
        const classified = await good.classify(batch)
        await new Promise((resolve) => setTimeout(resolve, 20))
        underWay--
        return classified
      },
    }
    const source = sourceOf(async function* () {
      for (; taken < 40; taken++) {
        const delivery = await Promise.resolve(deliveryOf([`o${taken}`]))
        yield { ...delivery, batch: { ...delivery.batch, rowCount, messages } }
      }
    })
    const sink = memorySink()
    await classifyInput({ source, classifier, sinks: [sink], signal: forever, onBatch: ignore })
    expect(most).toBe(bound)
    expect(sink.batches).toHaveLength(40)
  })
})
