// Hierarchies whose order of classes may be asked where results do not tell their own.
import { readManifest } from '../model/read-bundle.ts'
import { taxonomyOf } from '../model/taxonomy-of.ts'
import type { Level } from '../batch/taxonomy.ts'
import { findModel, sampleModel } from './model-reference.ts'

/** The hierarchy of the model that was named, then the sample's, which is the survey's own. */
export async function knownTaxonomies(reference: string | undefined): Promise<(readonly Level[])[]> {
  const folders = reference === undefined ? [sampleModel] : [findModel(reference), sampleModel]
  const manifests = await Promise.all(folders.map((folder) => readManifest(folder)))
  return manifests.map(({ manifest }) => taxonomyOf(manifest).levels)
}
