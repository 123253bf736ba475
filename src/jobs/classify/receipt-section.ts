// The receipt of a run as a reader sees it: what went in, what came out, and whether it adds up.
import { markup, type Html } from '../../report/html.ts'
import type { Section } from '../../report/page.ts'
import { listOf, tableOf } from '../../report/table.ts'

type Reasons = Readonly<Record<string, number>>

/** What is shown of a receipt. */
export interface RunReceipt {
  readonly startedAt: string
  readonly endedAt: string
  readonly model: { readonly name: string; readonly version: string; readonly sha256: string }
  readonly options: Readonly<Record<string, string | number | boolean | Readonly<Record<string, string>> | null>>
  readonly inputs: readonly {
    readonly address: string
    readonly read: number
    readonly classified: number
    readonly rejected: number
    readonly duplicates: number
    readonly reasons: Reasons
    readonly error?: string
  }[]
  readonly outputs: readonly {
    readonly address: string
    readonly objects: number
    readonly rows: number
    readonly refused: number
    readonly superseded: number
    readonly reasons: Reasons
  }[]
  readonly notes: readonly string[]
  readonly balanced: boolean
  readonly exitCode: number
}

/** a folder may hold thousands; the receipt itself has all of them */
const shownInputs = 500

/** The first section of a run's report. */
export function receiptSection(receipt: RunReceipt): Section {
  const { startedAt, endedAt, model, options, notes, balanced, exitCode } = receipt
  const chosen = Object.entries(options).filter(([, value]) => value !== null && !isEmpty(value))
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

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function inputTable({ inputs }: RunReceipt): Html {
  const more = inputs.length > shownInputs ? `, the first ${shownInputs} of ${inputs.length}` : ''
  return tableOf({
    caption: `Inputs${more}: read = classified + rejected + duplicates`,
    rows: inputs.slice(0, shownInputs),
    isSortable: inputs.length > 1,
    columns: [
      { heading: 'input', cell: ({ address }) => address, isText: true },
      { heading: 'read', cell: ({ read }) => read },
      { heading: 'classified', cell: ({ classified }) => classified },
      { heading: 'rejected', cell: ({ rejected }) => rejected },
      { heading: 'duplicates', cell: ({ duplicates }) => duplicates },
      ...(inputs.some(({ error }) => error !== undefined)
        ? [
            {
              heading: 'given up because',
              cell: ({ error }: { readonly error?: string }) => error ?? null,
              isText: true,
            },
          ]
        : []),
    ],
  })
}

function outputTable({ outputs }: RunReceipt): Html {
  return tableOf({
    caption: 'Outputs: classified = objects + refused + superseded',
    rows: outputs,
    columns: [
      { heading: 'output', cell: ({ address }) => (address === '-' ? 'stdout' : address), isText: true },
      { heading: 'objects', cell: ({ objects }) => objects },
      { heading: 'rows', cell: ({ rows }) => rows },
      { heading: 'refused', cell: ({ refused }) => refused },
      { heading: 'superseded', cell: ({ superseded }) => superseded },
    ],
  })
}

function reasonTable({ inputs, outputs }: RunReceipt): Html[] {
  const counts = new Map<string, number>()
  for (const { reasons } of [...inputs, ...outputs]) {
    for (const [reason, count] of Object.entries(reasons)) counts.set(reason, (counts.get(reason) ?? 0) + count)
  }
  if (counts.size === 0) return []
  const rows = [...counts].sort(([, a], [, b]) => b - a).slice(0, shownInputs)
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
