// pulled.json beside a manifest: where a model of the store was pulled from. No part of the model's identity.
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileDigest } from '../bundle/manifest.ts'

/** What is known of a download. The manifest pins the files' checksums; this says where they came from. */
export interface PulledRecord {
  readonly schemaVersion: 1
  /** without user, password and query */
  readonly address: string
  /** ISO-8601, UTC */
  readonly pulledAt: string
  readonly files: readonly (FileDigest & { readonly etag: string | null })[]
}

const fileName = 'pulled.json'

/** Writes the record into a bundle's folder. */
export async function writePulledRecord(folder: string, record: PulledRecord): Promise<void> {
  await writeFile(join(folder, fileName), `${JSON.stringify(record, null, 2)}\n`, { flush: true })
}

/** The record of a bundle's folder; undefined where it has none that can be read. */
export function readPulledRecord(folder: string): PulledRecord | undefined {
  const path = join(folder, fileName)
  if (!existsSync(path)) return undefined
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as Partial<PulledRecord>
    return typeof value.address === 'string' && Array.isArray(value.files) ? (value as PulledRecord) : undefined
  } catch {
    return undefined
  }
}
