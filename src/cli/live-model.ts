// The model for results that others rely on: never the sample.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ModelError } from '../errors.ts'
import { findModel, modelStore } from './model-reference.ts'

/**
 * The bundle's folder of a reference, or without one the newest model of the store (the one that was put there last).
 *
 * @throws ModelError if there is none
 */
export function liveModel(reference: string | undefined): string {
  if (reference !== undefined && reference !== '') return findModel(reference)
  const newest = storedBundles().sort((a, b) => b.since - a.since)[0]
  if (newest) return newest.folder
  throw new ModelError(`no --model, no LCCLF_MODEL, and the model store ${modelStore()} is empty`, {
    hint: 'The sample model is for demonstrations only and never writes to Kafka or Postgres. lcclf model import makes a model from pickles.',
  })
}

function storedBundles(): { readonly folder: string; readonly since: number }[] {
  return foldersIn(modelStore())
    .flatMap((name) => foldersIn(name))
    .map((folder) => ({ folder, manifest: join(folder, 'manifest.json') }))
    .filter(({ manifest }) => existsSync(manifest))
    .map(({ folder, manifest }) => ({ folder, since: statSync(manifest).mtimeMs }))
}

function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => (entry.isDirectory() || entry.isSymbolicLink()) && !entry.name.startsWith('.'))
    .map((entry) => join(folder, entry.name))
}
