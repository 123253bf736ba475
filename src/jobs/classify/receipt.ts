// The receipt of a run: what went in, what came out, and that it adds up (design: cli.md, "Receipt").
import { DataError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import type { ModelIdentity } from '../../pipeline/batch.ts'
import type { InputCounts, Ledger, OutputCounts } from '../../pipeline/ledger.ts'
import { redacted } from '../../formats/shown-text.ts'
import type { RejectionBound } from '../../terminal/flags.ts'
import { shownNumber as number } from '../../terminal/text-table.ts'
import type { Written } from '../../whole-file.ts'
import type { ResultOptions } from './plan.ts'

/** One object of a receipt file, and of stdout with --json. */
export interface Receipt {
  readonly schemaVersion: 1
  readonly command: string
  /** ISO 8601, UTC */
  readonly startedAt: string
  readonly endedAt: string
  readonly model: Pick<ModelIdentity, 'name' | 'version' | 'sha256'>
  readonly options: ResultOptions
  readonly inputs: readonly InputCounts[]
  readonly outputs: readonly Omit<OutputCounts, 'offered'>[]
  /** what whoever relies on the results should know */
  readonly notes: readonly string[]
  readonly balanced: boolean
  readonly exitCode: number
  /** beside a result in a folder: what that result is, so that another or a damaged one is not taken for it */
  readonly result?: Written | undefined
}

/** What `--resume` needs of a receipt. */
export type StoredReceipt = ReturnType<typeof parseReceipt>

/**
 * Reads the receipt beside a result, which anybody may have written since.
 *
 * @throws DataError naming what is wrong with it
 */
export function parseReceipt(text: string) {
  const check = jsonChecker((what, cause) => new DataError(what, { cause }))
  const optional = <T>(value: unknown, read: (value: unknown) => T) => (value === undefined ? undefined : read(value))
  const receipt = check.record(check.json(text), 'receipt')
  if (receipt['schemaVersion'] !== 1) throw check.error('schemaVersion')
  const model = check.record(receipt['model'], 'model')
  const inputs = check.list(receipt['inputs'], 'inputs').map((one) => check.record(one, 'inputs'))
  const [input] = inputs
  const result = optional(receipt['result'], (found) => check.record(found, 'result'))
  const etagOf = (found: unknown): string | null => (found === null ? null : check.text(found, 'etag'))
  return {
    model: {
      name: check.text(model['name'], 'name of the model'),
      version: check.text(model['version'], 'version of the model'),
      sha256: check.text(model['sha256'], 'sha256 of the model'),
    },
    isBalanced: receipt['balanced'] === true,
    options: check.record(receipt['options'], 'options'),
    input: input && {
      size: optional(input['size'], (found) => check.count(found, 'size of the input')),
      mtime: optional(input['mtime'], (found) => check.text(found, 'mtime of the input')),
      etag: optional(input['etag'], etagOf),
    },
    /** without secrets, as the run was given them */
    addresses: inputs.map((one) => check.text(one['address'], 'address of an input')),
    /** undefined in a receipt of an earlier version */
    result: result && {
      size: check.count(result['size'], 'size of the result'),
      sha256: optional(result['sha256'], (found) => check.sha256(found, 'sha256 of the result')),
      etag: optional(result['etag'], etagOf),
    },
  }
}

export function receiptOf(
  facts: Pick<Receipt, 'command' | 'options'> & { startedAt: Date; model: ModelIdentity; notes: Iterable<string> },
  ledger: Ledger,
  bound: RejectionBound | undefined,
): Receipt {
  const { command, startedAt, options, notes } = facts
  const { name, version, sha256 } = facts.model
  return {
    schemaVersion: 1,
    command,
    startedAt: startedAt.toISOString(),
    endedAt: new Date().toISOString(),
    model: { name, version, sha256 },
    options,
    inputs: ledger.inputs.map((input) => ({ ...input, address: redacted(input.address) })),
    outputs: ledger.outputs.map(({ address, objects, rows, filtered, refused, superseded, reasons }) => {
      return { address: redacted(address), objects, rows, filtered, refused, superseded, reasons }
    }),
    notes: [...notes],
    balanced: ledger.isBalanced,
    exitCode: exitCodeOf(ledger, bound),
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

export function receiptText(receipt: Receipt): string {
  return `${JSON.stringify(receipt, null, 2)}\n`
}

const shownReasons = 5

/** What people are told at the end of a run. `rejects`: the file that has them. */
export function summaryOf(
  receipt: Receipt,
  seconds: number,
  {
    rejects,
    maxRejected,
  }: { readonly rejects?: string | undefined; readonly maxRejected?: RejectionBound | undefined },
): string[] {
  const sum = (key: 'read' | 'classified' | 'rejected' | 'duplicates') =>
    receipt.inputs.reduce((total, input) => total + input[key], 0)
  const refused = receipt.outputs.reduce((total, output) => total + output.refused, 0)
  const failed = receipt.inputs.filter((input) => input.error !== undefined).length
  const rate = number(Math.round(sum('classified') / Math.max(seconds, 1e-3)))
  const counts = [
    `${number(sum('read'))} read`,
    `${number(sum('classified'))} classified`,
    ...(sum('rejected') > 0 ? [`${number(sum('rejected'))} rejected`] : []),
    ...(sum('duplicates') > 0 ? [`${number(sum('duplicates'))} older duplicates`] : []),
  ]
  return [
    `${counts.join(', ')} in ${seconds.toFixed(1)} s (${rate} objects/s)`,
    ...receipt.outputs.filter(({ address, filtered }) => address !== '-' || filtered > 0).map(outputLine),
    ...(sum('rejected') + refused > 0 ? rejectionLines(receipt, rejects) : []),
    ...receipt.notes,
    ...(failed > 0
      ? [`${failed === 1 ? '1 input' : `${number(failed)} inputs`} could not be read; the others are done`]
      : []),
    ...(maxRejected && receipt.exitCode === 3 && failed === 0 ? [tooManyRejected(maxRejected)] : []),
    ...(receipt.balanced ? [] : ['The receipt does not add up: rows were lost or counted twice. Please report this.']),
  ]
}

function tooManyRejected(bound: RejectionBound): string {
  const allowed = 'rows' in bound ? number(bound.rows) : `${bound.percent}%`
  return `more rows were lost than --max-rejected ${allowed} allows (exit 3); the others are written`
}

function outputLine({ address, objects, rows, filtered, refused, superseded }: Receipt['outputs'][number]): string {
  const more = [
    ...(filtered > 0 ? [`${number(filtered)} filtered out`] : []),
    ...(superseded > 0 ? [`${number(superseded)} superseded by newer alerts`] : []),
    ...(refused > 0 ? [`${number(refused)} refused`] : []),
  ]
  return [`${address === '-' ? 'stdout' : address}: ${number(objects)} objects, ${number(rows)} rows`, ...more].join(
    ', ',
  )
}

function rejectionLines(receipt: Receipt, rejects: string | undefined): string[] {
  const sorted = reasonCounts(receipt)
  const lines = sorted.slice(0, shownReasons).map(([reason, count]) => `  ${number(count)} × ${reason}`)
  if (sorted.length > shownReasons) lines.push(`  and ${sorted.length - shownReasons} other reasons (in the receipt)`)
  // records of a topic are not read by that flag
  const hasAbsentKeys = receipt.inputs.some(({ address, reasons }) => {
    return !address.startsWith('kafka:') && Object.keys(reasons).some((reason) => reason.endsWith(' is absent'))
  })
  if (hasAbsentKeys) lines.push('  if the exporter leaves out keys that are null: --absent-as-null reads them as null')
  lines.push(rejects === undefined ? '  --rejects FILE.ndjson keeps them' : `  they are in ${rejects}`)
  return lines
}

/** Why rows were rejected or refused, the most frequent reason first. */
export function reasonCounts({
  inputs,
  outputs,
}: Pick<Receipt, 'inputs' | 'outputs'>): [reason: string, rows: number][] {
  const counts = new Map<string, number>()
  for (const { reasons } of [...inputs, ...outputs]) {
    for (const [reason, count] of Object.entries(reasons)) counts.set(reason, (counts.get(reason) ?? 0) + count)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}
