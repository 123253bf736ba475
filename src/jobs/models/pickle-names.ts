// Under which names the pickles of a model are looked for, where an address cannot be listed.
import { alerceTaxonomy } from '../../model/sklearn/model-files.ts'

/** One file of a model: the first of its names that is there. */
export type NameChoice = readonly string[]

/** The feature list, which every model as published has. */
export const featureListName = 'features_RF_model.pkl'

/** The first file that is looked for; the name it has decides the kind (`RF` of 1.0.0, `BRF` of 1.1.x) of the others. */
export const topNames: NameChoice = [
  'hierarchical_level_RF_model.pkl',
  'top_level_BRF_model.pkl',
  'top_level_RF_model.pkl',
  'hierarchical_level_BRF_model.pkl',
]

/** The files of the branches, beside the top that was found. */
export function branchNames(top: string): NameChoice[] {
  const kinds = top.includes('_BRF_') ? ['BRF', 'RF'] : ['RF', 'BRF']
  return Object.keys(alerceTaxonomy).map((branch) =>
    kinds.map((kind) => `${branch.toLowerCase()}_level_${kind}_model.pkl`),
  )
}
