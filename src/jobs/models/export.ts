// The story of `lcclf model export`.
import { openOnnxRunner } from '../../model/onnx/runner.ts'
import { describeComparison } from '../../model/bundle/golden.ts'
import { exportOnnx } from '../../model/onnx/export-graph.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { packBundle } from './pack-bundle.ts'
import { checkBundle } from './check-bundle.ts'
import { findBundle } from '../../model/store/model-reference.ts'

/** What was typed. */
export interface ExportFlags {
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
