// How a report looks on paper: Letter or A4, upright, no column cut off, headings again on every page of a table.

/**
 * `--letters` is about how many letters a table is wide: beyond 88 its text shrinks so that it fits between the margins. Buttons
 * are not drawn where a heading is repeated, so headings are plain text again; rows at the ends of a table stay together.
 */
export const paperStyle = `
.on-paper { display: none; }
@page { margin: 1.2cm; }
@media print {
  :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --faint: #444444; --line: #bbbbbb; --shade: #f2f4f7;
    --c1: #0072b2; --c2: #b34700; --c3: #00775a; --c4: #9a4d80; --c5: #7a6200; --c6: #4b5563; }
  body { padding: 0; max-width: none; font-size: 10pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .picture, tr, figcaption, caption, dl div { break-inside: avoid; } figcaption, h2, h2 + p, caption, thead { break-after: avoid; }
  tbody tr:nth-child(-n+2) { break-after: avoid; } tbody tr:nth-last-child(-n+2) { break-before: avoid; }
  .scroll, details .scroll { overflow: visible; max-height: none; } .picture.scroll svg { max-width: 100%; }
  .picture svg { zoom: .78; max-height: 27cm; } .pictures { gap: .6rem 1rem; }
  table { font-size: min(9pt, calc(800pt / var(--letters))); max-width: 100%; }
  th, td { padding: .2em .5em; } :is(td, tbody th):not(.t) { white-space: nowrap; } .long { overflow-wrap: anywhere; min-width: 18em; }
  th button { display: contents; text-decoration: none; }
  table.upright thead th:not(.t, :first-child) { writing-mode: vertical-rl; line-height: 1.2; text-align: right; white-space: nowrap; }
  .too-wide .on-paper { display: block; }
  .figures { display: block; } dl.key { grid-template-columns: repeat(3, 1fr); } dl.key dd { font-size: 13pt; }
  nav, summary, .save, details:not([open]), .unseen, .too-wide table { display: none; }
}
`

/** beyond so many letters the text would be smaller than 3.5 points */
const mostLetters = 228
/** what stands between two columns */
const gap = 1.3
/** of a heading that stands upright */
const lineHeight = 2.3
/** a longer word of text is broken between any two letters */
const longestWord = 32

/** A column as it is shown: its heading, and its cells as text. */
export interface ShownColumn {
  readonly heading: string
  readonly isText: boolean
  readonly texts: readonly string[]
}

/** The width of a table in letters, whether headings of numbers stand upright, and whether paper has room for it. */
export function paperFit(columns: readonly ShownColumn[]) {
  const widthOf = (headingOf: (column: ShownColumn, index: number) => number): number =>
    Math.ceil(columns.reduce((sum, one, i) => sum + Math.max(contentWidth(one), headingOf(one, i)) + gap, 0))
  const level = widthOf(headingWidth)
  const upright = widthOf((column, i) => (column.isText || i === 0 ? headingWidth(column) : lineHeight))
  const isUpright = level > 88 && upright < 0.8 * level
  const letters = isUpright ? upright : level
  return { letters, isUpright, isTooWide: letters > mostLetters }
}

/** Text that may be broken anywhere, because it has a word that is too long for a column: an address, say. */
export function hasLongWords({ isText, texts }: ShownColumn): boolean {
  return isText && texts.some((text) => text.split(' ').some((word) => word.length > longestWord))
}

function contentWidth({ isText, texts }: ShownColumn): number {
  const longest = texts.reduce((most, text) => Math.max(most, text.length), 0)
  return isText ? Math.min(longest, longestWord) : longest
}

/** Browsers break headings at blanks and after hyphens. */
function headingWidth({ heading }: ShownColumn): number {
  return Math.min(longestWord, Math.max(...heading.split(/\s|(?<=-)/).map((word) => word.length)))
}
