// The story of `lcclf model export`.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openOnnxRunner } from '../../model/onnx/runner.ts'
import { describeComparison } from '../../model/bundle/golden.ts'
import { exportOnnx } from '../../model/onnx/export-graph.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { checkBundle } from './verify.ts'
import { findBundle } from '../../model/store/model-reference.ts'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'

/** What was typed. */
interface ExportFlags {
  readonly format: 'onnx' | 'tar.gz'
  readonly out: string
  readonly overwrite: boolean
  readonly json: boolean
}

/** Exports and says what was written, on stderr or with --json as one object. */
export async function exportModel(reference: string, { format, json, ...options }: ExportFlags): Promise<void> {
  const directory = findBundle(reference)
  const { said, ...written } =
    format === 'onnx' ? await exportGraph(directory, options) : await exportArchive(directory, options)
  process.stderr.write(`${options.out}: ${written.size.toLocaleString('en')} bytes; ${said}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command: 'model export', ...written })}\n`)
}

interface ExportPlace {
  readonly out: string
  readonly overwrite: boolean
}

async function exportGraph(directory: string, { out, overwrite }: ExportPlace) {
  const { comparison, ...written } = await exportOnnx(directory, out, { overwrite, openRunner: openOnnxRunner })
  return { ...written, said: describeComparison(comparison) }
}

async function exportArchive(directory: string, place: ExportPlace) {
  await checkBundle(directory)
  const { manifest } = await readManifest(directory)
  const written = await packBundle(directory, manifest, place)
  return { ...written, said: `sha256 ${written.sha256}` }
}

// A bundle → one .tar.gz, the same bytes for the same bundle, there whole or not at all.

/** The archive that was written. */
interface PackedBundle {
  readonly file: string
  readonly size: number
  readonly sha256: string
}

/**
 * Packs the files that the manifest names, below a folder NAME_VERSION. No owner, no time and no order of the disk gets
 * into it.
 *
 * @param directory the bundle's folder, its files checked
 * @throws UsageError for a file that exists; ServiceError where it cannot be written
 */
async function packBundle(
  directory: string,
  { name, version, files }: Manifest,
  { out, overwrite }: { out: string; overwrite: boolean },
): Promise<PackedBundle> {
  if (existsSync(out) && !overwrite) {
    throw new UsageError(`${out}: exists already`, { hint: 'Give another --out, or --overwrite.' })
  }
  const { create } = await import('tar')
  const partial = join(dirname(out), `.${basename(out)}.${process.pid}.partial`)
  try {
    const options = {
      file: partial,
      cwd: directory,
      gzip: { portable: true },
      portable: true,
      mtime: new Date(0),
      prefix: `${name}_${version}`,
      // the right of a file does not say anything about a model
      onWriteEntry: (entry: { stat?: { mode: number } }) => {
        if (entry.stat) entry.stat.mode = 0o100644
      },
    }
    await create(options, ['manifest.json', ...files.map(({ file }) => file)])
    const handle = await open(partial, 'r+')
    await handle.sync()
    await handle.close()
    const bytes = await readFile(partial)
    await rename(partial, out)
    return { file: out, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  } catch (cause) {
    await rm(partial, { force: true })
    if (cause instanceof LcclfError) throw cause
    throw new ServiceError(`${out}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'Is there room on the disk, and may you write there?',
    })
  }
}
