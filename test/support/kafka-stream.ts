// A stream for tests: a classifier that answers at once, alerts as JSON, and the pipeline's own loop.
import type { ClassifiedBatch, Taxonomy } from '../../src/pipeline/batch.ts'
import { alercePreprocessing } from '../../src/pipeline/preprocess.ts'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import { type BatchReport, classifyInput } from '../../src/pipeline/classify-input.ts'
import type { Sink } from '../../src/pipeline/sink.ts'
import type { ReadOptions, Source } from '../../src/pipeline/source.ts'
import { produce } from './kafka-client.ts'
import type { TestKafka } from './kafka.ts'

/** Two features, two classes. */
export const testTaxonomy: Taxonomy = {
  levels: [
    { classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['AGN', 'RRL'] },
    { classifierName: 'lc_classifier_top', prefix: 'top', branch: null, classes: ['Periodic', 'Stochastic'] },
    { classifierName: 'lc_classifier_stochastic', prefix: 'stochastic', branch: 'Stochastic', classes: ['AGN'] },
    { classifierName: 'lc_classifier_periodic', prefix: 'periodic', branch: 'Periodic', classes: ['RRL'] },
  ],
}

/** What a test's model knows. */
export const testFeatures: readonly string[] = ['gal_b', 'gal_l']

/** How a test reads. */
export function testOptions(more: Partial<ReadOptions> = {}): ReadOptions {
  return {
    features: testFeatures,
    preprocessing: alercePreprocessing,
    batchSize: 100,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: new Map(),
    allowance: { remaining: Infinity },
    ...more,
  }
}

/** The probability of AGN is the first feature. */
export function testClassifier(delayMs = 0): Classifier {
  return {
    identity: { name: 'test', version: '1', classifierVersion: 'test_1', sha256: '' },
    features: testFeatures,
    preprocessing: alercePreprocessing,
    taxonomy: testTaxonomy,
    parallelism: 2,
    async classify({ rowCount, oids, candids, matrix, echo, messages }): Promise<ClassifiedBatch> {
      if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
      const agn = Float64Array.from({ length: rowCount }, (_, row) => matrix[row * testFeatures.length]!)
      const pair = (flip: boolean): Float64Array =>
        Float64Array.from({ length: rowCount * 2 }, (_, i) =>
          (i % 2 === 0) === flip ? 1 - agn[i >> 1]! : agn[i >> 1]!,
        )
      const ones = new Float64Array(rowCount).fill(1)
      const probabilities = [pair(false), pair(true), ones, ones]
      return {
        rowCount,
        oids,
        candids,
        taxonomy: testTaxonomy,
        classifierVersion: 'test_1',
        probabilities,
        echo,
        messages,
      }
    },
    close: () => Promise.resolve(),
  }
}

/** An alert as JSON. */
export function alertText(oid: string, candid: bigint | number, gal_b = 0.25, gal_l = 2): string {
  return `{"oid": ${JSON.stringify(oid)}, "candid": ${candid}, "features": {"gal_b": ${gal_b}, "gal_l": ${gal_l}, "rb": 0.5}}`
}

/** Ids of objects: `o0`, `o1`, … */
export function names(count: number, prefix = 'o'): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`)
}

/** An alert as a message under its object's id. */
export function alert(oid: string, candid = 1): { key: string; value: string } {
  return { key: oid, value: alertText(oid, candid) }
}

/** An alert of each of so many objects. */
export function alerts(count: number, prefix = 'o'): { key: string; value: string }[] {
  return names(count, prefix).map((oid) => alert(oid))
}

/** A new topic with an alert of each of so many objects; answers its name. */
export async function topicWith(
  kafka: Pick<TestKafka, 'server' | 'createTopic'>,
  name: string,
  partitions: number,
  count: number,
): Promise<string> {
  const topic = await kafka.createTopic(name, partitions)
  await produce(kafka, topic, alerts(count))
  return topic
}

/** Runs the pipeline's loop; `onBatch` may end it. */
export async function runStream(
  source: Source,
  sinks: readonly Sink[],
  options: {
    signal?: AbortSignal
    classifier?: Classifier
    onBatch?: (report: BatchReport) => Promise<void> | void
  } = {},
): Promise<BatchReport[]> {
  const reports: BatchReport[] = []
  const { signal = new AbortController().signal, classifier = testClassifier(), onBatch } = options
  await classifyInput({
    source,
    classifier,
    sinks,
    signal,
    async onBatch(report) {
      reports.push(report)
      await onBatch?.(report)
    },
  })
  return reports
}

/** A sink that keeps what it is given. */
export function memorySink(): Sink & { readonly batches: ClassifiedBatch[] } {
  const batches: ClassifiedBatch[] = []
  return {
    address: 'memory',
    durable: 'on-write',
    batches,
    write(batch) {
      batches.push(batch)
      return Promise.resolve({ objects: batch.rowCount, rows: batch.rowCount, refused: [], superseded: 0 })
    },
    finish: () => Promise.resolve(),
    publish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}
