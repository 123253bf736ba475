// The receipt of a run: what went in, what came out, and that it adds up (design: cli.md, "Receipt").
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ModelIdentity } from '../../pipeline/batch.ts'
import { ServiceError, systemCode } from '../../errors.ts'
import type { InputCounts, Ledger, OutputCounts } from '../../pipeline/ledger.ts'
import { redacted } from '../../formats/shown-text.ts'
import type { RejectionBound } from '../../terminal/flags.ts'
import type { ResultOptions } from './plan.ts'

/** One object of a receipt file, and of stdout with --json. */
export interface Receipt {
  readonly schemaVersion: 1
  readonly command: string
  readonly startedAt: string
  readonly endedAt: string
  readonly model: { readonly name: string; readonly version: string; readonly sha256: string }
  readonly options: ResultOptions
  readonly inputs: readonly InputCounts[]
  readonly outputs: readonly Omit<OutputCounts, 'offered'>[]
  /** what whoever relies on the results should know */
  readonly notes: readonly string[]
  readonly balanced: boolean
  readonly exitCode: number
}

/** What a receipt says besides its counts. */
export interface ReceiptContext {
  readonly command: string
  readonly startedAt: Date
  readonly model: ModelIdentity
  readonly options: ResultOptions
  /** what sources and sinks have to say; grows during the run */
  readonly notes: Set<string>
}

/** Makes the receipt of what the ledger holds. */
export function receiptOf(context: ReceiptContext, ledger: Ledger, exitCode: number): Receipt {
  const { name, version, sha256 } = context.model
  return {
    schemaVersion: 1,
    command: context.command,
    startedAt: context.startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    model: { name, version, sha256 },
    options: context.options,
    inputs: ledger.inputs.map((input) => ({ ...input, address: redacted(input.address) })),
    outputs: ledger.outputs.map(({ address, objects, rows, refused, superseded, reasons }) => {
      return { address: redacted(address), objects, rows, refused, superseded, reasons }
    }),
    notes: [...context.notes],
    balanced: ledger.isBalanced,
    exitCode,
  }
}

/**
 * The exit code of a run that came to its end: 6 if the receipt does not balance, 3 if too much was rejected or an input
 * was given up. Rows that an output refused count as rejected; of several outputs the one that lacks most counts, because
 * they may lack the same rows.
 */
export function exitCodeOf(ledger: Ledger, bound: RejectionBound | undefined): number {
  if (!ledger.isBalanced) return 6
  const { read, rejected, duplicates } = ledger.totals
  const lost = rejected + Math.max(0, ...ledger.outputs.map(({ refused }) => refused))
  if (ledger.inputs.some((input) => input.error !== undefined)) return 3
  // older duplicates were not wanted: they are no success
  if (bound === undefined) return lost > 0 && lost >= read - duplicates ? 3 : 0
  const most = 'rows' in bound ? bound.rows : (bound.percent / 100) * read
  return lost > most ? 3 : 0
}

/** Writes JSON beside and renames it, so that a receipt is whole or not there. */
export function writeReceipt(path: string, receipt: Receipt): void {
  const partial = join(dirname(path), `.${basename(path)}.${process.pid}.partial`)
  try {
    const file = openSync(partial, 'w')
    try {
      writeSync(file, `${JSON.stringify(receipt, null, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(partial, path)
  } catch (cause) {
    rmSync(partial, { force: true })
    throw new ServiceError(`${path}: the receipt cannot be written (${systemCode(cause) ?? 'unknown reason'})`, {
      cause,
      hint: 'Does the folder exist, may you write there, and is there space?',
    })
  }
}
