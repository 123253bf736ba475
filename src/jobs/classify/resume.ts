// --resume: which inputs of a folder run are done, and why the others are not.
import { statSync } from 'node:fs'
import { plainEtag } from '../../connectors/s3/s3-source.ts'
import type { SourceSpec } from '../../pipeline/source.ts'
import type { ResultOptions } from './plan.ts'
import type { Receipt } from './receipt.ts'
import type { ResultPlace } from './result-place.ts'

/** What a receipt must say for its input to be passed over. */
export interface Expected {
  readonly spec: SourceSpec
  readonly result: ResultPlace
  readonly modelSha256: string
  readonly options: ResultOptions
}

/** Why an input must be classified (again), or undefined if its receipt says that it is done. */
export async function reasonToClassify({ spec, result, modelSha256, options }: Expected): Promise<string | undefined> {
  const receipt = parseReceipt(await result.readReceipt())
  if (receipt === undefined) return (await result.exists()) ? 'its result has no receipt' : 'not done yet'
  if (receipt === 'unreadable') return 'its receipt cannot be read'
  if (!(await result.exists())) return 'its result is gone'
  if (receipt.model.sha256 !== modelSha256) return 'it was classified with another model'
  if (JSON.stringify(receipt.options) !== JSON.stringify(options)) return 'it was classified with other options'
  const input = receipt.inputs[0]
  if (spec.kind === 'stdin' || input === undefined) return 'stdin cannot be compared'
  if (spec.kind === 'postgres') return 'a database cannot be compared'
  if (spec.kind === 'kafka') return 'a topic cannot be compared'
  if (spec.kind === 's3') return reasonOfObject(input, spec)
  const { size, mtime } = statSync(spec.path)
  if (input.size !== size) return sizeChanged(input.size, size)
  if (input.mtime !== mtime.toISOString()) return `it was modified at ${mtime.toISOString()}`
  return undefined
}

function reasonOfObject(
  before: { readonly size?: number; readonly etag?: string },
  { size, etag }: Extract<SourceSpec, { kind: 's3' }>,
): string | undefined {
  if (before.size !== size) return sizeChanged(before.size, size)
  if (etag === null) return 'its service gives no ETag'
  return before.etag === plainEtag(etag) ? undefined : 'its ETag changed'
}

function sizeChanged(before: number | undefined, now: number): string {
  return `its size changed from ${before} to ${now} bytes`
}

function parseReceipt(text: string | undefined): Receipt | 'unreadable' | undefined {
  if (text === undefined) return undefined
  try {
    const receipt = JSON.parse(text) as Partial<Receipt>
    const isWhole = receipt.schemaVersion === 1 && receipt.balanced === true && receipt.model && receipt.inputs
    return isWhole ? (receipt as Receipt) : 'unreadable'
  } catch {
    return 'unreadable'
  }
}
