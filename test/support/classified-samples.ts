// Classified batches for the sinks' tests: the golden answers, and values that are easily damaged on the way.
import { readFileSync } from 'node:fs'
import type { ClassifiedBatch, InputSchema, Level, Taxonomy } from '../../src/pipeline/batch.ts'
import type { SinkContext } from '../../src/pipeline/sink.ts'

const fixtures = new URL('../fixtures/sinks/', import.meta.url)

/** The golden answers of the small hierarchy, as scikit-learn gives them. */
export const golden = JSON.parse(readFileSync(new URL('golden-rows.json', fixtures), 'utf8')) as {
  oid: string[]
  predicted: string[]
  classes: Record<string, string[]>
  probabilities: Record<string, number[][]>
}

/** The Probability table as the original wrote it: its text. */
export const probabilityTable = readFileSync(new URL('probability-table.csv', fixtures), 'utf8')

export const version = 'hierarchical_random_forest_1.0.0'

/** The survey's own five levels. */
export const taxonomy: Taxonomy = {
  levels: [
    level('lc_classifier', '', null),
    level('lc_classifier_top', 'top', null),
    level('lc_classifier_stochastic', 'stochastic', 'Stochastic'),
    level('lc_classifier_periodic', 'periodic', 'Periodic'),
    level('lc_classifier_transient', 'transient', 'Transient'),
  ],
}

/** A model of one level. */
export const flatTaxonomy: Taxonomy = {
  levels: [{ classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['star', 'galaxy "far"', 'a,b'] }],
}

function level(classifierName: string, prefix: string, branch: string | null): Level {
  return { classifierName, prefix, branch, classes: golden.classes[classifierName]! }
}

/** What a sink is opened with. */
export function contextOf(schema: InputSchema, levels: Taxonomy = taxonomy): SinkContext {
  return { schema, taxonomy: levels, classifierVersion: version, modelSha256: 'c0ffee' }
}

/** Objects `from` to `to` of the golden answers; every third has no candid. */
export function goldenBatch(from: number, to: number): ClassifiedBatch {
  const oids = golden.oid.slice(from, to)
  return {
    rowCount: oids.length,
    oids,
    candids: oids.map((_, i) => ((from + i) % 3 === 2 ? null : 1_234_567_890_123_456_789n + BigInt(from + i))),
    taxonomy,
    classifierVersion: version,
    probabilities: taxonomy.levels.map(({ classifierName }) =>
      Float64Array.from(golden.probabilities[classifierName]!.slice(from, to).flat()),
    ),
  }
}

// a negative zero, the smallest denormal, what decimal rounding would hit, the neighbours of 1 and of 1/3
const delicate = [
  -0,
  0,
  5e-324,
  2.2250738585072011e-308,
  0.1 + 0.2,
  1 - 2 ** -53,
  1,
  1 / 3,
  1e-7,
  1.7976931348623157e308,
]

/** `rowCount` objects with values and ids that are easily damaged. */
export function delicateBatch(rowCount: number, schema: InputSchema, levels: Taxonomy = taxonomy): ClassifiedBatch {
  return {
    rowCount,
    oids: Array.from({ length: rowCount }, (_, i) => delicateOid(schema.oidType, i)),
    candids: Array.from({ length: rowCount }, (_, i) => delicateCandids[i % delicateCandids.length]!),
    taxonomy: levels,
    classifierVersion: version,
    probabilities: levels.levels.map(({ classes }, l) =>
      Float64Array.from({ length: rowCount * classes.length }, (_, i) => delicate[(i * 7 + l) % delicate.length]!),
    ),
  }
}

const delicateCandids = [null, 2n ** 53n + 1n, 0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), null, 1n]
const delicateTexts = [
  'ZTF18aaabskg',
  'a,b',
  'say "hi"',
  'two\nlines',
  'tab\tin',
  ' ',
  'naïve ☄ 𝄞',
  'cr\rin',
  '-',
  '0012',
]

function delicateOid(type: InputSchema['oidType'], i: number): string {
  switch (type) {
    case 'string':
      return delicateTexts[i % delicateTexts.length]!
    case 'int32':
      return String([-(2 ** 31), 2 ** 31 - 1, 0, -1][i % 4])
    case 'uint32':
      return String([2 ** 32 - 1, 0, 2 ** 31, 7][i % 4])
    case 'int64':
      return String([-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, 0n][i % 4])
    case 'uint64':
      return String([2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n, 0n][i % 4])
  }
}
