// What every import of a model says of it, whatever the model came from.
import { UsageError } from '../../errors.ts'
import type { Manifest } from './manifest.ts'

/** The manifest's first lines. Throws UsageError for a name or version that cannot be a folder and a column. */
export function identityOf(
  name: string,
  version: string,
): Pick<Manifest, 'formatVersion' | 'kind' | 'name' | 'version' | 'classifierName'> {
  // name_version is a column of the database, and both are folders of the store
  for (const [what, value] of Object.entries({ name, version })) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(value)) {
      throw new UsageError(`the model's ${what} ${JSON.stringify(value)} may have letters, digits and . _ + - only`)
    }
  }
  return { formatVersion: 1, kind: 'forest', name, version, classifierName: 'lc_classifier' }
}

/** How far one step has come. */
export interface ImportProgress {
  readonly step: string
  readonly done: number
  readonly total: number
}

/** The bundle that was made. */
export interface ImportedModel {
  readonly directory: string
  readonly manifest: Manifest
  readonly sha256: string
  readonly warnings: string[]
}
