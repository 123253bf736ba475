// The story of `lcclf model export`.
import { openOnnxRunner } from '../classifier/onnx-runner.ts'
import { describeComparison } from '../model/golden.ts'
import { exportOnnx } from '../model/onnx-export.ts'
import { findModel } from './model-reference.ts'

/** What was typed. */
export interface ExportFlags {
  readonly out: string
  readonly overwrite: boolean
  readonly json: boolean
}

/** Exports and says what was written, on stderr or with --json as one object. */
export async function exportModel(reference: string, { out, overwrite, json }: ExportFlags): Promise<void> {
  const directory = findModel(reference)
  const { comparison, ...written } = await exportOnnx(directory, out, { overwrite, openRunner: openOnnxRunner })
  process.stderr.write(`${out}: ${written.size.toLocaleString('en')} bytes; ${describeComparison(comparison)}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command: 'model export', ...written })}\n`)
}
