// lcclf.lock in a work folder: which model, and no other, its results come from.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, ModelError, systemCode, UsageError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'

/** The file's name. */
export const pinFile = 'lcclf.lock'

/** What it says. */
export interface ModelPin {
  readonly schemaVersion: 1
  readonly name: string
  readonly version: string
  /** of manifest.json, which holds the checksums of all other files */
  readonly sha256: string
  /** where the model can be pulled from; null for one that was not pulled */
  readonly address: string | null
}

/**
 * The pin of a folder; undefined where it has none.
 *
 * @throws ModelError for a file that says nothing of the kind: a pin that cannot be read must not be ignored
 */
export function readPin(folder: string): ModelPin | undefined {
  const path = join(folder, pinFile)
  if (!existsSync(path)) return undefined
  let value: Partial<Record<keyof ModelPin, unknown>> | null
  try {
    value = JSON.parse(readFileSync(path, 'utf8')) as typeof value
  } catch (cause) {
    throw unreadable(path, messageOf(cause), cause)
  }
  const { schemaVersion, name, version, sha256, address = null } = value ?? {}
  const isPin =
    schemaVersion === 1 &&
    typeof name === 'string' &&
    typeof version === 'string' &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256) &&
    (address === null || typeof address === 'string')
  if (!isPin) throw unreadable(path, 'it does not say name, version and sha256')
  return { schemaVersion, name, version, sha256, address }
}

function unreadable(path: string, why: string, cause?: unknown): ModelError {
  return new ModelError(`${path}: cannot be read (${why})`, {
    cause,
    hint: 'lcclf model lock REF writes it anew; without the file any model may be used here.',
  })
}

/** Writes the pin of a folder. */
export async function writePin(folder: string, pin: ModelPin): Promise<string> {
  const path = join(folder, pinFile)
  try {
    await writeFile(path, `${JSON.stringify(pin, null, 2)}\n`)
  } catch (cause) {
    throw new UsageError(`${path}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
  return path
}

/**
 * Refuses a model that is not the pinned one.
 *
 * @param folder the work folder
 * @param bundle the folder of the model that is about to be used
 * @throws ModelError naming both
 */
export function checkPin(folder: string, bundle: string): void {
  const pin = readPin(folder)
  if (!pin) return
  const sha256 = createHash('sha256')
    .update(readFileSync(join(bundle, 'manifest.json')))
    .digest('hex')
  if (sha256 === pin.sha256) return
  throw refusedByPin(folder, pin, `${bundle} (sha256 ${sha256})`)
}

/** @param other the model that is not the pinned one, in words */
export function refusedByPin(folder: string, { name, version, sha256, address }: ModelPin, other: string): ModelError {
  const pull = address === null ? '' : ` lcclf model pull gets it from ${redacted(address)}.`
  return new ModelError(`${join(folder, pinFile)} pins ${name}@${version} (sha256 ${sha256}), not ${other}`, {
    hint: `Use the pinned model.${pull} To change the pin: lcclf model lock REF.`,
  })
}
