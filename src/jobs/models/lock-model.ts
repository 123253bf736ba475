// The story of `lcclf model lock`.
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { writePin } from '../../model/store/model-pin.ts'
import { readPulledRecord } from '../../model/store/pulled-record.ts'
import { findBundle } from '../../model/store/model-reference.ts'
import { harmless } from '../../terminal/text-table.ts'

/** Pins a model in the work folder. */
export async function lockModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const directory = findBundle(reference)
  const { manifest, sha256 } = await readManifest(directory)
  const { name, version } = manifest
  const pin = {
    schemaVersion: 1,
    name,
    version,
    sha256,
    address: readPulledRecord(directory)?.address ?? null,
  } as const
  const path = await writePin(process.cwd(), pin)
  process.stderr.write(`${path} pins ${harmless(`${name}@${version}`)}, sha256 ${sha256}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ ...pin, command: 'model lock' })}\n`)
}
