// The report of a classify run: its receipt, how many of each class, how sure the model was, and whom it doubts.
import { barChart, type Canvas, histogramChart, labelMargin, openCanvas } from '../../report/charts.ts'
import { type ClassFacts, type ClassifyFacts, confidenceBins, type LevelFacts } from './report-facts.ts'
import { figureOf, listOf, pageOf, type Picture, type Section, tableOf, type KeyFigures } from '../../report/page.ts'
import { type Html, markup } from '../../report/html.ts'
import { percentText } from '../../formats/table.ts'
import type { InputCounts } from '../../pipeline/ledger.ts'
import { reasonCounts, type Receipt } from './receipt.ts'
import type { Alarm, WatchedObject } from '../../model/watch/alarm.ts'
import { demonstrationNote } from '../../model/store/model-reference.ts'

/** Small charts of one figure: more would be a page that nobody reads, and too large a file. */
const shownCharts = 40
/** the palette's grey */
const neutral = 5

/** The text of the page. `done`: inputs that an earlier run did; `alarms`: of the night watch, if there was one. */
export async function classifyPage(
  receipt: Receipt,
  { levels, doubtful }: ClassifyFacts,
  { done, alarms }: { readonly done: number; readonly alarms?: readonly Alarm[] | undefined },
): Promise<string> {
  const canvas = await openCanvas()
  const [product] = levels
  const objects = objectsOf(product!)
  const { name, version } = receipt.model
  return pageOf({
    title: 'lcclf classify: report of a run',
    lead: markup`${objects} objects classified with ${name}
    ${version}.${done > 0 ? ` ${done} inputs were done before this run (--resume) and are not counted here.` : ''}${demonstrationNote(`${name}_${version}`)}`,
    key: keyFigures(receipt, product!),
    sections: [
      { title: 'Classes', content: [leafCounts(canvas, levels), ...levelCounts(canvas, levels)] },
      { title: 'Confidence', content: levels.map((level) => confidenceFigure(canvas, level)) },
      { title: 'Objects most in doubt', content: [doubtTable(doubtful)] },
      ...(alarms ? [watchSection(alarms)] : []),
      receiptSection(receipt),
    ],
  })
}

/** How many, how sure, and what is odd: of the product. */
function keyFigures({ inputs, balanced }: Receipt, { classes }: LevelFacts): KeyFigures {
  const total = objectsOf({ classes } as LevelFacts)
  const rejected = inputs.reduce((sum, input) => sum + input.rejected, 0)
  const confidence = Array.from({ length: confidenceBins }, (_, bin) =>
    classes.reduce((sum, one) => sum + one.confidence[bin]!, 0),
  )
  const below = confidence.slice(0, confidenceBins / 2).reduce((sum, number) => sum + number, 0)
  const most = classes.reduce((best, one) => (one.objects > best.objects ? one : best), classes[0]!)
  const absent = classes.filter(({ objects }) => objects === 0).map((one) => one.class)
  return [
    [total, total === 1 ? 'object classified' : 'objects classified'],
    [rejected, 'rows rejected'],
    ...(total === 0
      ? []
      : [
          [`${most.class}, ${percentText(most.objects / total)}`, 'most frequent class'] as const,
          [`≤ ${medianEdge({ class: '', objects: total, confidence })}`, 'median of the largest probability'] as const,
          [percentText(below / total), 'of the objects have no class above 0.5'] as const,
        ]),
    [
      absent.length,
      absent.length === 0 ? 'classes without an object' : `classes without an object: ${namesOf(absent)}`,
    ],
    ...(balanced ? [] : [['no', 'the receipt adds up'] as const]),
  ]
}

function namesOf(names: readonly string[]): string {
  const shown = 4
  return names.length > shown ? `${names.slice(0, shown).join(', ')}, …` : names.join(', ')
}

function objectsOf({ classes }: LevelFacts): number {
  return classes.reduce((sum, { objects }) => sum + objects, 0)
}

/** The leaf classes, a chart for each branch, all on one scale. */
function leafCounts(canvas: Canvas, levels: readonly LevelFacts[]): Html {
  const product = levels[0]!
  const groups = branchGroups(levels)
  const most = Math.max(...product.classes.map(({ objects }) => objects))
  const margin = labelMargin(product.classes.map((one) => one.class))
  const branchOf = new Map(groups.flatMap(({ name, classes }) => classes.map((one) => [one, name] as const)))
  return figureOf({
    title: 'Objects of each class',
    note: 'The class of an object is the leaf class with the largest probability. All branches have the same scale.',
    pictures: groups.map(({ name, classes }, index) => {
      const bars = classes.map((one) => ({ name: one.class, value: one.objects }))
      const label = `Bar chart: objects of each class${name === null ? '' : ` of ${name}`}`
      return { name, drawing: [barChart(canvas, { label, bars, axis: 'objects', most, color: index, margin })] }
    }),
    numbers: countTable('Objects of each class', product, branchOf),
  })
}

function branchGroups(levels: readonly LevelFacts[]) {
  const product = levels[0]!
  const branches = levels.filter(({ branch }) => branch !== null)
  if (branches.length === 0) return [{ name: null, classes: product.classes }]
  return branches.map(({ branch, classes }) => {
    const names = new Set(classes.map((one) => one.class))
    return { name: branch, classes: product.classes.filter((one) => names.has(one.class)) }
  })
}

/** The top level and the branches, which count by their own probabilities. */
function levelCounts(canvas: Canvas, [, ...levels]: readonly LevelFacts[]): Html[] {
  if (levels.length === 0) return []
  const title = (name: string): string => `Objects of each class of ${name}`
  const branches = levels.filter(({ branch }) => branch !== null)
  const figure = figureOf({
    title: 'What each level says by itself',
    note: 'A level of a branch counts the objects whose most probable branch it is. Each chart has its own scale.',
    pictures: levels.map((level) => {
      const bars = level.classes.map((one) => ({ name: one.class, value: one.objects }))
      const most = Math.max(...bars.map(({ value }) => value))
      // a branch has the colour that it has in the figure of the leaf classes
      const color = level.branch === null ? neutral : branches.indexOf(level)
      const label = `Bar chart: objects of each class of ${level.classifierName}`
      return { name: level.classifierName, drawing: [barChart(canvas, { label, bars, axis: 'objects', most, color })] }
    }),
    numbers: markup`${levels.map((level) => countTable(title(level.classifierName), level))}`,
  })
  return [figure]
}

function countTable(
  caption: string,
  level: LevelFacts,
  branchOf: ReadonlyMap<ClassFacts, string | null> = new Map(),
): Html {
  const total = objectsOf(level)
  const branch = (one: ClassFacts): string | null => branchOf.get(one) ?? null
  return tableOf({
    caption,
    rows: level.classes,
    isSortable: true,
    columns: [
      { heading: 'class', cell: (one) => one.class, isText: true },
      ...(level.classes.some((one) => branch(one) !== null) ? [{ heading: 'branch', cell: branch, isText: true }] : []),
      { heading: 'objects', cell: (one) => one.objects },
      { heading: 'share', cell: (one) => (total === 0 ? null : percentText(one.objects / total)) },
      { heading: 'median confidence, at most', cell: (one) => medianEdge(one) },
    ],
  })
}

/** The upper end of the interval that half of the objects are reached in. */
function medianEdge({ objects, confidence }: ClassFacts): number | null {
  if (objects === 0) return null
  let seen = 0
  return (confidence.findIndex((number) => (seen += number) * 2 >= objects) + 1) / confidenceBins
}

function confidenceFigure(canvas: Canvas, { classifierName, classes }: LevelFacts): Html {
  const all = Array.from({ length: confidenceBins }, (_, bin) =>
    classes.reduce((sum, { confidence }) => sum + confidence[bin]!, 0),
  )
  const found = classes.filter(({ objects }) => objects > 0)
  const shown = [...found].sort((a, b) => b.objects - a.objects).slice(0, shownCharts)
  const small = (one: ClassFacts): Picture => ({
    name: `${one.class} (${one.objects})`,
    drawing: [
      histogramChart(canvas, {
        label: `Histogram: probability of ${one.class} for the objects called so`,
        bins: binsOf(one.confidence),
        xAxis: 'probability',
        yAxis: 'objects',
        color: 0,
        width: 220,
        height: 150,
      }),
    ],
  })
  const label = `Histogram: confidence of ${classifierName}`
  const chart = { label, bins: binsOf(all), xAxis: 'largest probability', yAxis: 'objects', color: neutral }
  const missing = found.length - shown.length
  return figureOf({
    title: `Confidence of ${classifierName}`,
    note: markup`Largest probability of each object: all objects, then those of each
    class.${missing > 0 ? ` The ${missing} rarest classes are in the table alone.` : ''}`,
    pictures: [
      { name: 'all objects', drawing: [histogramChart(canvas, chart)] },
      ...found.filter((one) => shown.includes(one)).map(small),
    ],
    numbers: tableOf({
      caption: `Objects by confidence of ${classifierName}; an interval contains its upper end`,
      rows: all.map((total, bin) => ({ total, bin })),
      columns: [
        { heading: 'probability', cell: ({ bin }) => `${bin / confidenceBins} to ${(bin + 1) / confidenceBins}` },
        { heading: 'all', cell: ({ total }) => total },
        ...found.map((one) => ({ heading: one.class, cell: ({ bin }: { bin: number }) => one.confidence[bin]! })),
      ],
    }),
  })
}

function binsOf(counts: readonly number[]): { from: number; to: number; value: number }[] {
  return counts.map((value, bin) => ({ from: bin / confidenceBins, to: (bin + 1) / confidenceBins, value }))
}

function doubtTable(rows: ClassifyFacts['doubtful']): Html {
  return tableOf({
    caption: `The ${rows.length} objects with the smallest margin between their two most probable classes`,
    rows,
    isSortable: true,
    columns: [
      { heading: 'oid', cell: ({ oid }) => oid, isText: true },
      ...(rows.some(({ candid }) => candid !== null)
        ? [{ heading: 'candid', cell: ({ candid }: { candid: string | null }) => candid, isText: true }]
        : []),
      { heading: 'class', cell: (row) => row.class, isText: true },
      { heading: 'probability', cell: (row) => row.probability },
      { heading: 'second class', cell: (row) => row.second_class, isText: true },
      { heading: 'its probability', cell: (row) => row.second_probability },
      { heading: 'margin', cell: (row) => row.margin },
    ],
  })
}

function watchSection(alarms: readonly Alarm[]): Section {
  const place = (object: WatchedObject | null): string | null => {
    if (object === null) return null
    const { oid, number, message } = object
    return message ? `${oid} (${message.topic}:${message.partition} @ ${message.offset})` : `${oid} (object ${number})`
  }
  if (alarms.length === 0) return { title: 'Night watch', content: [markup`<p>Nothing was unusual.</p>`] }
  return {
    title: 'Night watch',
    content: [
      ...alarms.map(({ message }) => markup`<p class="warning">${message}</p>`),
      tableOf({
        caption: 'What was not as usual, from about the first object to about the last',
        rows: alarms,
        columns: [
          { heading: 'what', cell: ({ kind }) => kind, isText: true },
          { heading: 'of', cell: ({ families }) => families.join(', '), isText: true },
          { heading: 'first object', cell: ({ first }) => place(first), isText: true },
          { heading: 'last object', cell: ({ last }) => place(last), isText: true },
          { heading: 'objects', cell: ({ objects }) => objects },
          { heading: 'consequences', cell: ({ consequences }) => consequences.join('; '), isText: true },
        ],
      }),
    ],
  }
}

/** a folder may hold thousands; the receipt itself has all of them */
const shownInputs = 500

function receiptSection(receipt: Receipt): Section {
  const { startedAt, endedAt, model, options, notes, balanced, exitCode } = receipt
  const chosen = Object.entries(options).filter(([, value]) => value !== null && JSON.stringify(value) !== '{}')
  return {
    title: 'Receipt',
    content: [
      ...(balanced
        ? []
        : [markup`<p class="warning">The receipt does not add up: rows were lost or counted twice.</p>`]),
      listOf([
        ['model', `${model.name} ${model.version}`],
        ['sha256 of its manifest', model.sha256],
        ['started', startedAt],
        ['ended', endedAt],
        ['adds up', balanced ? 'yes' : 'no'],
        ['exit code', exitCode],
        ...chosen.map(
          ([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)] as const,
        ),
      ]),
      ...notes.map((note) => markup`<p class="warning">${note}</p>`),
      inputTable(receipt),
      outputTable(receipt),
      ...reasonTable(receipt),
    ],
  }
}

function inputTable({ inputs }: Receipt): Html {
  const more = inputs.length > shownInputs ? `, the first ${shownInputs} of ${inputs.length}` : ''
  const error = { heading: 'given up because', cell: (input: InputCounts) => input.error ?? null, isText: true }
  return tableOf({
    caption: `Inputs${more}: read = classified + rejected + duplicates`,
    rows: inputs.slice(0, shownInputs),
    isSortable: inputs.length > 1,
    columns: [
      { heading: 'input', cell: ({ address }) => address, isText: true },
      ...countColumns('read', 'classified', 'rejected', 'duplicates'),
      ...(inputs.some((input) => input.error !== undefined) ? [error] : []),
    ],
  })
}

function outputTable({ outputs }: Receipt): Html {
  return tableOf({
    caption: 'Outputs: classified = objects + filtered + refused + superseded',
    rows: outputs,
    columns: [
      { heading: 'output', cell: ({ address }) => (address === '-' ? 'stdout' : address), isText: true },
      ...countColumns('objects', 'rows', 'filtered', 'refused', 'superseded'),
    ],
  })
}

function countColumns<Name extends string>(...names: readonly Name[]) {
  return names.map((heading) => ({ heading, cell: (row: Readonly<Record<Name, number>>) => row[heading] }))
}

function reasonTable(receipt: Receipt): Html[] {
  const rows = reasonCounts(receipt).slice(0, shownInputs)
  if (rows.length === 0) return []
  return [
    tableOf({
      caption: 'Why rows were rejected',
      rows,
      isSortable: true,
      columns: [
        { heading: 'reason', cell: ([reason]) => reason, isText: true },
        { heading: 'rows', cell: ([, count]) => count },
      ],
    }),
  ]
}
