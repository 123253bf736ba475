// Which names of a file come near a name that is missing from it.
import { distance } from 'fastest-levenshtein'
import { mappedColumn, relatedColumns } from './rename-maps.ts'

const shownNames = 2

/** Which of some columns may be a feature that is missing: the one that is known to be, else the likeliest, at most two. */
export function likelyNames(feature: string, columns: readonly string[]): string[] {
  const mapped = mappedColumn(feature, columns)
  if (mapped) return [mapped.column]
  const all = [...relatedColumns(feature, columns), ...nearestNames(feature, columns)]
  return [...new Set(all)].slice(0, shownNames)
}

/**
 * The nearest of some names, best first, at most two; none if nothing is near. Case and the separators that tools swap
 * (`/`, `-`, `_`, blanks) hardly count: `Power_rate_1_2` is very near `Power_rate_1/2`.
 */
export function nearestNames(name: string, candidates: readonly string[]): string[] {
  const plain = normalised(name)
  const tolerated = Math.floor(plain.length / 4)
  const near: { candidate: string; far: number; raw: number }[] = []
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > tolerated + 2) continue
    const far = distance(plain, normalised(candidate))
    if (far <= tolerated) near.push({ candidate, far, raw: distance(name, candidate) })
  }
  return near
    .sort((a, b) => a.far - b.far || a.raw - b.raw || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, shownNames)
    .map(({ candidate }) => candidate)
}

function normalised(name: string): string {
  return name.toLowerCase().replace(/[/\-_\s.]/g, '_')
}
