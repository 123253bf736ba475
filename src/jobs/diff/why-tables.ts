// The table of `lcclf diff --why`, and its text for a person at a terminal.
import type { Table } from '../../formats/table.ts'
import { captionedTable, harmless, objectCount, shownNumber } from '../../terminal/text-table.ts'
import type { CauseCount } from './cause-table.ts'
import type { WhyReport } from './explain-changes.ts'

const decimals = 4
const shownIds = 3

/** @param most so many rows at most */
export function causeTable({ causes: found, distinct_causes: all }: WhyReport, most = Infinity): Table<CauseCount> {
  const causes = found.slice(0, most)
  const part = causes.length < all ? `: the ${shownNumber(causes.length)} most frequent of ${shownNumber(all)}` : ''
  return {
    caption: `Why objects changed class${part}`,
    rows: causes,
    isSortable: true,
    columns: [
      { key: 'cause', heading: 'cause', cell: ({ cause }) => cause, isText: true },
      { key: 'kind', cell: ({ kind }) => kind },
      { key: 'objects', heading: 'objects', cell: ({ objects }) => objects },
      { key: 'share', heading: 'share', cell: ({ share }) => share, isShare: true },
      { key: 'class_before', cell: (cause) => cause.class_before },
      { key: 'class_after', cell: (cause) => cause.class_after },
      { heading: 'typical change', cell: typicalChange, isText: true },
      { key: 'typical_objects', heading: 'of them', cell: (cause) => cause.typical_objects },
      { key: 'near_ties', heading: 'near ties', cell: (cause) => cause.near_ties },
      { key: 'margin_before', heading: 'margin before', cell: (cause) => cause.margin_before, decimals },
      { key: 'margin_after', heading: 'margin after', cell: (cause) => cause.margin_after, decimals },
      { key: 'approximate', heading: 'approximate', cell: ({ approximate }) => approximate },
    ],
  }
}

function typicalChange({ class_before: from, class_after: to }: CauseCount): string {
  return `${from} → ${to}`
}

/** What was looked at, then the table. */
export function whyText(why: WhyReport): string[][] {
  return [whyLines(why), captionedTable(causeTable(why))]
}

function whyLines(why: WhyReport): string[] {
  const { changed, explained, near_ties: nearTies, near_tie_below: bound } = why
  const drawn = why.drawn < changed ? ` (${shownNumber(why.drawn)} were drawn by their ids: --why-limit)` : ''
  return [
    `${shownNumber(explained)} of the ${objectCount(changed)} that changed class explained${drawn}`,
    ...(explained === 0
      ? []
      : [`${shownNumber(nearTies)} were near a tie: before, their class led by ${bound} or less`]),
    ...sideLines(why),
    ...approximateLines(why),
  ]
}

/** Objects that have no cause, and why not. */
function sideLines(why: WhyReport): string[] {
  return (['a', 'b'] as const).flatMap((side) => {
    const { features, without_features: absent, not_reproduced: strange, model } = why[side]
    const where = features.length === 1 ? harmless(features[0]!) : `the ${features.length} inputs`
    const name = side.toUpperCase()
    const named = (first: readonly string[], count: number): string => {
      const ids = first.slice(0, shownIds).map(harmless).join(', ')
      return count > shownIds ? `${ids}, …` : ids
    }
    return [
      ...(absent.objects > 0
        ? [
            `${shownNumber(absent.objects)} are not in the features of ${name}, ${where}: ${named(absent.first, absent.objects)}`,
          ]
        : []),
      ...(strange.objects > 0
        ? [
            `${shownNumber(strange.objects)} of ${name} do not belong to these features (${where}): ${harmless(`${model.name}_${model.version}`)} says something else: ${named(strange.first, strange.objects)}`,
          ]
        : []),
    ]
  })
}

function approximateLines({ approximate: count }: WhyReport): string[] {
  if (count === 0) return []
  return [
    `${shownNumber(count)} are approximate: more than eight families differ, and sets were made of the eight that help the old class most`,
  ]
}
