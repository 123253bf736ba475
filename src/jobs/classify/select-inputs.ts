// Which of the inputs this run has to do: its shard of the files, and with --resume those that are not done.
import { realpathSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { UsageError } from '../../errors.ts'
import type { SinkSpec, SourceSpec } from '../../connectors/spec.ts'
import { redacted } from '../../formats/shown-text.ts'
import type { Input } from '../../connectors/input-names.ts'
import { type ClassifyPlan, fileInFolder, refuseSharedNames, type ResultOptions } from './plan.ts'
import { resultPlace, type ResultPlace } from './result-place.ts'
import { addressOfPlace } from '../../connectors/s3/address.ts'
import { plainEtag } from '../../connectors/s3/s3-source.ts'
import type { Receipt } from './receipt.ts'

/** The inputs to do, and with --resume why each of them, and how many are done. */
export interface Selection {
  readonly inputs: readonly Input[]
  readonly reasons: ReadonlyMap<Input, string>
  readonly done: number
}

/**
 * Chooses the inputs of this run.
 *
 * @throws UsageError if two inputs have one result, a result exists already or is an input, or a flag does not go with an input's format
 */
export async function selectInputs(plan: ClassifyPlan, all: readonly Input[], modelSha256: string): Promise<Selection> {
  refuseWhere(plan, all)
  refuseReplacing(plan, all)
  if (plan.folders.length === 0) return { inputs: all, reasons: new Map(), done: 0 }
  refuseSharedNames(
    plan.folders,
    all.map((input) => input.relativeName),
  )
  const { shard } = plan
  const mine = shard ? all.filter((input) => crc32(input.relativePath) % shard.count === shard.index) : all
  if (!plan.resume) {
    await refuseExisting(plan, mine)
    return { inputs: mine, reasons: new Map(), done: 0 }
  }
  const reasons = new Map<Input, string>()
  const whys = await mapSome(mine, (input) => whyAgain(plan, input, modelSha256))
  mine.forEach((input, i) => {
    const why = whys[i]
    if (why !== undefined) reasons.set(input, why)
  })
  return { inputs: mine.filter((input) => reasons.has(input)), reasons, done: mine.length - reasons.size }
}

async function whyAgain(plan: ClassifyPlan, input: Input, modelSha256: string): Promise<string | undefined> {
  for (const folder of plan.folders) {
    const result = resultPlace(fileInFolder(folder, input.relativeName, true))
    const reason = await reasonToClassify({ spec: input.spec, result, modelSha256, options: plan.options })
    if (reason !== undefined) return reason
  }
  return undefined
}

function refuseWhere(plan: ClassifyPlan, inputs: readonly Input[]): void {
  if (plan.where === undefined) return
  const other = inputs.find(({ spec }) => !hasSql(spec))
  if (other) {
    const what = whatItIs(other.spec)
    throw new UsageError(
      `--where works on Parquet and on a Postgres query only, and ${redacted(other.spec.address)} is ${what}`,
      { hint: 'Filter the input before, convert it to Parquet, or use ?query=.' },
    )
  }
}

/** Whatever may be replaced, features may not: only results can be made again. */
function refuseReplacing({ folders, shared }: ClassifyPlan, inputs: readonly Input[]): void {
  const own = new Set(inputs.map(({ spec }) => identityOf(spec)))
  const results = folders.flatMap((folder) => inputs.map((input) => fileInFolder(folder, input.relativeName, true)))
  const replaced = [...shared, ...results].find((spec) => own.has(identityOf(spec) ?? ''))
  if (!replaced) return
  throw new UsageError(`${replaced.address} is an input, and would be replaced by its result`, {
    hint: 'Use another folder or name.',
  })
}

/** Of a file or an object; undefined for what nobody replaces. */
function identityOf(spec: SourceSpec | SinkSpec): string | undefined {
  if (spec.kind === 's3') return addressOfPlace(spec.place)
  if (spec.kind !== 'file') return undefined
  try {
    return realpathSync(spec.path)
  } catch {
    return resolve(spec.path)
  }
}

function hasSql(spec: SourceSpec): boolean {
  if (spec.kind === 'postgres') return spec.reading.kind === 'query'
  return spec.kind !== 'kafka' && spec.format === 'parquet'
}

function whatItIs(spec: SourceSpec): string {
  if (spec.kind === 'postgres') return 'a long table'
  return spec.kind === 'kafka' ? 'a topic' : spec.format
}

async function refuseExisting(plan: ClassifyPlan, inputs: readonly Input[]): Promise<void> {
  if (plan.overwrite) return
  for (const folder of plan.folders) {
    const results = inputs.map((input) => resultPlace(fileInFolder(folder, input.relativeName, false)))
    const are = await mapSome(results, (result) => result.exists())
    const result = results.find((_, i) => are[i])
    if (result) {
      throw new UsageError(`${result.address} exists already`, {
        hint: 'Use --resume to do only what is not done, --overwrite to do everything again, or another folder.',
      })
    }
  }
}

/** Results in a bucket are asked for over the network: some at once, not one after the other. */
async function mapSome<Item, Answer>(items: readonly Item[], ask: (item: Item) => Promise<Answer>): Promise<Answer[]> {
  const atOnce = 16
  const answers: Answer[] = []
  for (let from = 0; from < items.length; from += atOnce) {
    answers.push(...(await Promise.all(items.slice(from, from + atOnce).map(ask))))
  }
  return answers
}

// --resume: which inputs of a folder run are done, and why the others are not.

/** What a receipt must say for its input to be passed over. */
interface Expected {
  readonly spec: SourceSpec
  readonly result: ResultPlace
  readonly modelSha256: string
  readonly options: ResultOptions
}

/** Why an input must be classified (again), or undefined if its receipt says that it is done. */
async function reasonToClassify({ spec, result, modelSha256, options }: Expected): Promise<string | undefined> {
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
