// The long layout: the rows of the Probability table.
import type { ClassifiedBatch } from '../../../pipeline/batch.ts'
import { type LayoutContext, oidColumn, type OutputLayout, type OutputTable } from './output-table.ts'
import { denseRanks } from '../../../pipeline/ranking.ts'

/** One of an object's rows: a class of a level. */
interface Place {
  readonly level: number
  readonly index: number
}

/**
 * `oid`, `classifier_name`, `classifier_version`, `class_name`, `probability`, `ranking`: a row for each class of each
 * level (33 an object with the survey's taxonomy), an object's rows by classifier_name, then class_name, in code point
 * order, as a table sorted by its key lists them.
 */
export function longLayout({ schema, taxonomy, classifierVersion }: LayoutContext): OutputLayout {
  const places = sortedPlaces(taxonomy.levels)
  const versions = [classifierVersion]
  const classifiers = taxonomy.levels.map((level) => level.classifierName)
  const classes = [...new Set(taxonomy.levels.flatMap((level) => level.classes))]
  const codeOf = new Map(classes.map((name, code) => [name, code]))
  const classifierCodes = Int32Array.from(places, ({ level }) => level)
  const classCodes = Int32Array.from(places, ({ level, index }) => codeOf.get(taxonomy.levels[level]!.classes[index]!)!)

  function tableOf(batch: ClassifiedBatch): OutputTable {
    const { rowCount, oids } = batch
    const { probabilities, rankings } = valuesAndRanks(batch, places)
    return {
      rowCount: rowCount * places.length,
      columns: [
        oidColumn(
          oids.flatMap((oid) => new Array<string>(places.length).fill(oid)),
          schema.oidType,
        ),
        { type: 'label', labels: classifiers, codes: repeated(classifierCodes, rowCount) },
        { type: 'label', labels: versions, codes: new Int32Array(rowCount * places.length) },
        { type: 'label', labels: classes, codes: repeated(classCodes, rowCount) },
        { type: 'float64', values: probabilities },
        { type: 'int32', values: rankings },
      ],
    }
  }

  return {
    fields: [
      { path: ['oid'], type: schema.oidType, isNullable: false },
      { path: ['classifier_name'], type: 'label', isNullable: false },
      { path: ['classifier_version'], type: 'label', isNullable: false },
      { path: ['class_name'], type: 'label', isNullable: false },
      { path: ['probability'], type: 'float64', isNullable: false },
      { path: ['ranking'], type: 'int32', isNullable: false },
    ],
    tableOf,
  }
}

function sortedPlaces(levels: LayoutContext['taxonomy']['levels']): readonly Place[] {
  const places = levels.flatMap((level, l) => level.classes.map((name, index) => ({ level: l, index, name })))
  return places.sort(
    (a, b) =>
      byCodePoint(levels[a.level]!.classifierName, levels[b.level]!.classifierName) || byCodePoint(a.name, b.name),
  )
}

/** UTF-8 bytes sort as code points do; JavaScript's own comparison is of UTF-16 units. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function repeated(pattern: Int32Array, times: number): Int32Array {
  const all = new Int32Array(pattern.length * times)
  for (let i = 0; i < times; i++) all.set(pattern, i * pattern.length)
  return all
}

function valuesAndRanks(
  batch: ClassifiedBatch,
  places: readonly Place[],
): { probabilities: Float64Array; rankings: Int32Array } {
  const widths = batch.taxonomy.levels.map((level) => level.classes.length)
  const ranks = widths.map((width) => new Int32Array(width))
  const probabilities = new Float64Array(batch.rowCount * places.length)
  const rankings = new Int32Array(batch.rowCount * places.length)
  let at = 0
  for (let row = 0; row < batch.rowCount; row++) {
    for (let l = 0; l < widths.length; l++)
      denseRanks(batch.probabilities[l]!, row * widths[l]!, widths[l]!, ranks[l]!, 0)
    for (const { level, index } of places) {
      probabilities[at] = batch.probabilities[level]![row * widths[level]! + index]!
      rankings[at] = ranks[level]![index]!
      at++
    }
  }
  return { probabilities, rankings }
}
