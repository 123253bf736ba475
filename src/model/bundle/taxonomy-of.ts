// The levels and classes of a model, as the outputs see them.
import type { Level, Taxonomy } from '../../pipeline/taxonomy.ts'
import type { Manifest } from './manifest.ts'

/** What a taxonomy is made of. */
export type TaxonomySource = Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy'>

/** From a manifest: the product in output order, the top, the branches; a model of one level has that one only. */
export function taxonomyOf({ classifierName, levels, taxonomy }: TaxonomySource): Taxonomy {
  if (taxonomy === null) {
    return { levels: [{ classifierName, prefix: '', branch: null, classes: levels[0]?.classes ?? [] }] }
  }
  const classes = levels.flatMap(({ branch }) => (branch === null ? [] : (taxonomy[branch] ?? [])))
  const product: Level = { classifierName, prefix: '', branch: null, classes }
  const forests = levels.map(({ name, branch, classes: own }) => ({
    classifierName: `${classifierName}_${name}`,
    prefix: name,
    branch,
    classes: own,
  }))
  return { levels: [product, ...forests] }
}
