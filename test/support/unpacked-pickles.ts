// The small model of one scikit-learn, unpacked as it was published.
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'

const fixtures = fileURLToPath(new URL('../fixtures/model', import.meta.url))

/** Writes the five pickles of a version into a folder, and answers the folder. */
export function unpackPickles(version: string, folder: string): string {
  const packed = join(fixtures, `sklearn-${version}`)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(packed).filter((file) => /\.pkl(\.gz)?$/.test(file))) {
    if (!name.endsWith('.gz')) copyFileSync(join(packed, name), join(folder, name))
    else writeFileSync(join(folder, name.slice(0, -3)), gunzipSync(readFileSync(join(packed, name))))
  }
  return folder
}
