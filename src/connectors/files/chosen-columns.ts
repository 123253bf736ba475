// --columns: which columns of a layout are written, and in which order.
import picomatch from 'picomatch'
import { namesIn, unknownName } from './asked-names.ts'
import type { OutputLayout } from './table-sink.ts'

/** Without them nobody would know whose the other columns are. */
const ids = new Set(['oid', 'candid'])

const shownNames = 12

/**
 * The ids first, then the columns in the order in which they were asked for; what one pattern chooses, in the layout's
 * order. A column stands at its first place only.
 *
 * @param texts names, or patterns of which `*` takes anything but a `/`; a name that looks like a pattern is a name
 * @throws UsageError for one that fits no column
 */
export function chosenColumns(layout: OutputLayout, texts: readonly string[]): OutputLayout {
  const names = layout.fields.map(({ path }) => path.join('.'))
  const known = new Set(names)
  const chosen = new Set(names.filter((name) => ids.has(name)))
  for (const asked of namesIn(texts, known)) {
    const found = known.has(asked) ? [asked] : names.filter(patternOf(asked))
    if (found.length === 0) {
      const hint =
        names.length <= shownNames
          ? `Columns are ${names.join(', ')}.`
          : "Columns are named as in the wide layout: class, AGN, 'stochastic/*' or '*/SNIa'."
      throw unknownName('--columns', 'the results have no column', asked, names, hint)
    }
    for (const name of found) chosen.add(name)
  }
  return layout.only([...chosen].map((name) => names.indexOf(name)))
}

const longestPattern = 1000

/** What no pattern can be made of fits nothing. */
function patternOf(text: string): (name: string) => boolean {
  if (text === '' || text.length > longestPattern) return () => false
  const fits = picomatch(text, { dot: true })
  return (name) => fits(name)
}
