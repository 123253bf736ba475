// Names that were typed with commas between them, against the names that there are.
import { distance } from 'fastest-levenshtein'
import { UsageError } from '../../errors.ts'
import { shownText } from '../../formats/shown-text.ts'
import { nearestNames } from '../columns/match-columns.ts'

/**
 * The names in some texts, each one or several with commas between them; a name that has commas itself stands alone in
 * its text. Blanks around a name do not count, unless they are its own.
 */
export function namesIn(texts: readonly string[], known: ReadonlySet<string>): string[] {
  const names = texts.flatMap((text) => (known.has(text) ? [text] : text.split(',')))
  return names.map((name) => (known.has(name) ? name : name.trim()))
}

/** @param what is not there, e.g. `the results have no column` */
export function unknownName(
  flag: string,
  what: string,
  name: string,
  known: Iterable<string>,
  hint: string,
): UsageError {
  const names = [...known]
  // short names are never near enough to take one for the other, but these are few
  const far = (one: string): number => distance(one.toLowerCase(), name.toLowerCase())
  const likely = names.filter((one) => far(one) < Math.min(3, name.length)).sort((a, b) => far(a) - far(b))
  const near = [...new Set([...nearestNames(name, names), ...likely])].slice(0, 2).map(shownText)
  const nearest = near.length === 0 ? '' : ` (nearest: ${near.join(', ')})`
  return new UsageError(`${flag}: ${what} ${shownText(name)}${nearest}`, { hint })
}
