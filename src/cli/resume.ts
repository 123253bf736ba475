// --resume: which inputs of a folder run are done, and why the others are not.
import { existsSync, readFileSync, statSync } from 'node:fs'
import type { SourceSpec } from '../sources/source.ts'
import type { ResultOptions } from './plan.ts'
import type { Receipt } from './receipt.ts'

/** Where the receipt of one result file is. */
export function receiptPathOf(outputPath: string): string {
  return `${outputPath}.receipt.json`
}

/** What a receipt must say for its input to be passed over. */
export interface Expected {
  readonly spec: SourceSpec
  readonly outputPath: string
  readonly modelSha256: string
  readonly options: ResultOptions
}

/** Why an input must be classified (again), or undefined if its receipt says that it is done. */
export function reasonToClassify({ spec, outputPath, modelSha256, options }: Expected): string | undefined {
  const receipt = readReceipt(receiptPathOf(outputPath))
  if (receipt === undefined) return existsSync(outputPath) ? 'its result has no receipt' : 'not done yet'
  if (receipt === 'unreadable') return 'its receipt cannot be read'
  if (!existsSync(outputPath)) return 'its result is gone'
  if (receipt.model.sha256 !== modelSha256) return 'it was classified with another model'
  if (JSON.stringify(receipt.options) !== JSON.stringify(options)) return 'it was classified with other options'
  const input = receipt.inputs[0]
  if (spec.kind === 'stdin' || input === undefined) return 'stdin cannot be compared'
  if (spec.kind === 'postgres') return 'a database cannot be compared'
  if (spec.kind === 'kafka') return 'a topic cannot be compared'
  const { size, mtime } = statSync(spec.path)
  if (input.size !== size) return `its size changed from ${input.size} to ${size} bytes`
  if (input.mtime !== mtime.toISOString()) return `it was modified at ${mtime.toISOString()}`
  return undefined
}

function readReceipt(path: string): Receipt | 'unreadable' | undefined {
  if (!existsSync(path)) return undefined
  try {
    const receipt = JSON.parse(readFileSync(path, 'utf8')) as Partial<Receipt>
    const isWhole = receipt.schemaVersion === 1 && receipt.balanced === true && receipt.model && receipt.inputs
    return isWhole ? (receipt as Receipt) : 'unreadable'
  } catch {
    return 'unreadable'
  }
}
