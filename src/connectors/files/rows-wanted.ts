// --only and --min-probability: which objects of a batch are written.
import { UsageError } from '../../errors.ts'
import { type ClassifiedBatch, pickObjects, type Taxonomy, winners } from '../../pipeline/batch.ts'
import type { Excerpt } from '../address.ts'
import { namesIn, unknownName } from './asked-names.ts'

const shownClasses = 12

/**
 * What takes the objects out of a batch that were not asked for.
 *
 * @throws UsageError for a class that is not among the leaf classes, or a probability that is none
 */
export function rowsWanted(
  { only, minProbability = 0 }: Excerpt,
  taxonomy: Taxonomy,
): (batch: ClassifiedBatch) => ClassifiedBatch {
  // a program's own number, which no flag has checked
  if (!(minProbability >= 0 && minProbability <= 1))
    throw new UsageError(`minProbability ${minProbability}: not from 0 to 1`)
  const { classes } = taxonomy.levels[0]!
  const wanted = only && placesOf(only, taxonomy)
  return (batch) => {
    const product = batch.probabilities[0]!
    const rows: number[] = []
    winners(batch).forEach((place, row) => {
      const isWanted = wanted === undefined || wanted.has(place)
      if (isWanted && product[row * classes.length + place]! >= minProbability) rows.push(row)
    })
    return rows.length === batch.rowCount ? batch : pickObjects(batch, rows)
  }
}

function placesOf(texts: readonly string[], { levels: [product, ...others] }: Taxonomy): Set<number> {
  const { classes } = product!
  const known = new Set(classes)
  return new Set(
    namesIn(texts, known).map((name) => {
      if (known.has(name)) return classes.indexOf(name)
      // an object belongs to a leaf class: a branch stands for its classes
      const branch = others.find((level) => level.branch === name)?.classes
      const named = branch ?? classes
      const more = named.length > shownClasses ? ` and ${named.length - shownClasses} more` : ''
      const list = `${named.slice(0, shownClasses).join(', ')}${more}`
      const hint = branch ? `${name} is a branch; its classes are ${list}.` : `Classes are ${list}.`
      throw unknownName('--only', 'the model has no class', name, branch ? [] : classes, hint)
    }),
  )
}
