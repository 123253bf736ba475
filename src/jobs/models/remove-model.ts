// The story of `lcclf model remove`.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ModelError, UsageError } from '../../errors.ts'
import { redactedText } from '../../formats/shown-address.ts'
import { findStored, modelStore, splitReference, whatIsThere } from '../../model/store/model-reference.ts'

/** Takes a model out of the store. A name alone is enough where the store has one version of it. */
export async function removeModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const store = modelStore()
  const [name, version] = splitReference(reference)
  const model = findStored(reference)
  if (!model) {
    if (existsSync(join(reference, 'manifest.json'))) {
      throw new UsageError(`${reference}: is a folder outside the model store`, {
        hint: 'Only models of the store are removed: name@version. A folder of your own is yours to delete.',
      })
    }
    throw new ModelError(`model ${redactedText(reference)}: not found`, { hint: whatIsThere() })
  }
  const versions = store.listAll().filter((other) => other.name === name)
  if (version === undefined && versions.length > 1) {
    const list = versions.map((other) => `${name}@${other.version}`).join(', ')
    throw new UsageError(`${name}: the store has several versions of it`, { hint: `Name one: ${list}.` })
  }
  await store.remove(model)
  process.stderr.write(`${model.name}@${model.version} is removed\n`)
  if (json) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command: 'model remove', ...model })}\n`)
}
