// The sample model with golden answers that its trees do not give: whole by its checksums, and never to be used.
import { createHash } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeGolden, encodeGolden } from '../../src/model/bundle/arrow-files.ts'
import { type Manifest, taxonomyOf } from '../../src/model/bundle/manifest.ts'
import { samples } from './lcclf.ts'

/** Writes the bundle into a folder: one probability differs in its last bit. Answers the folder. */
export function unprovedModel(folder: string): string {
  cpSync(join(samples, 'model'), folder, { recursive: true })
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Manifest
  const golden = decodeGolden(readFileSync(join(folder, 'golden.arrow')), manifest.features, taxonomyOf(manifest))
  const { probabilities } = golden.expected[0]!
  const place = probabilities.findIndex((value) => value > 0)
  probabilities[place]! *= 1 + 2 ** -52
  const bytes = encodeGolden(golden, manifest.features)
  writeFileSync(join(folder, 'golden.arrow'), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const files = manifest.files.map((file) =>
    file.file === 'golden.arrow' ? { ...file, sha256, size: bytes.length } : file,
  )
  writeFileSync(path, `${JSON.stringify({ ...manifest, files }, null, 2)}\n`)
  return folder
}
