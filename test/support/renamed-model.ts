// The sample model under another name: to lcclf another model, with the same answers.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { samples } from './lcclf.ts'

/** Writes the bundle into a folder, and answers the folder. */
export function renamedModel(folder: string, name: string, version: string): string {
  cpSync(join(samples, 'model'), folder, { recursive: true })
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as object
  writeFileSync(path, `${JSON.stringify({ ...manifest, name, version }, null, 2)}\n`)
  return folder
}
