// What a calibration found, for a person at a terminal.
import type { Table } from '../../formats/table.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import type { BundleCalibration, CalibrationScores } from '../../model/calibration/bundle-calibration.ts'
import { captionedTable, harmless, objectCount, paragraphs } from '../../terminal/text-table.ts'

/** A level, or the product, before and after. */
interface Line {
  readonly name: string
  readonly objects: number
  readonly method: string
  readonly before: CalibrationScores
  readonly after: CalibrationScores
}

const decimals = 4

export function calibrationText(
  { levels: named, name, version }: Manifest,
  calibration: BundleCalibration,
  { out, results, labels }: { readonly out: string; readonly results: string; readonly labels: string },
): string {
  const { levels, data, sets } = calibration
  const few = sets.filter((one) => one.labels < fewForSets)
  return paragraphs(
    [
      [
        `${harmless(name)}@${harmless(version)} calibrated with ${objectCount(data.objects)} of ${harmless(results)}, labelled by ${harmless(labels)}`,
      ],
      captionedTable(scoreTable(calibration)),
      levels.map((level, i) => `${harmless(named[i]!.name)}: ${level.parameters.kind}; ${harmless(level.reason)}`),
      few.length === 0
        ? []
        : [
            `Too few labels for sets at 90 %, so that every object has in its set: ${few.map((one) => `${harmless(one.class)} (${one.labels})`).join(', ')}`,
          ],
      [`Written to ${harmless(out)}: lcclf classify … --model ${harmless(out)} --calibrated --sets 0.9`],
    ].filter((lines) => lines.length > 0),
  )
}

/** n labels carry sets up to the level n ÷ (n + 1) */
const fewForSets = 9

function scoreTable({ levels, product, data }: BundleCalibration): Table<Line> {
  const rows = levels.map(({ name, labels, parameters: { kind }, scores }): Line => ({
    name,
    objects: labels.reduce((sum, count) => sum + count, 0),
    method: kind,
    before: scores.none!,
    after: scores[kind]!,
  }))
  const whole: Line = {
    name: 'product',
    objects: data.objects,
    method: '',
    before: product.none,
    after: product.calibrated,
  }
  return {
    caption: 'By cross-validation, before and after',
    rows: levels.length > 1 ? [...rows, whole] : rows,
    columns: [
      { heading: 'level', cell: ({ name }) => name, isText: true },
      { heading: 'objects', cell: ({ objects }) => objects },
      { heading: 'method', cell: ({ method }) => method, isText: true },
      { heading: 'log loss', cell: ({ before }) => before.logLoss, decimals },
      { heading: 'after', cell: ({ after }) => after.logLoss, decimals },
      { heading: 'ECE', cell: ({ before }) => before.calibrationError, decimals },
      { heading: 'after', cell: ({ after }) => after.calibrationError, decimals },
      { heading: 'accuracy', cell: ({ before }) => before.accuracy, decimals },
      { heading: 'after', cell: ({ after }) => after.accuracy, decimals },
    ],
  }
}
