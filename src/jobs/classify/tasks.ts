// What a run has to do: its inputs, each with its results in the output folders; with --resume only those that are not done.
import { existsSync, realpathSync, statSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Input } from '../../connectors/inputs.ts'
import { addressOfPlace, type S3Place } from '../../connectors/s3/address.ts'
import { bucketToWrite, type S3Bucket } from '../../connectors/s3/bucket.ts'
import { plainEtag } from '../../connectors/s3/s3-source.ts'
import type { SinkSpec, SourceSpec } from '../../connectors/spec.ts'
import { ServiceError, UsageError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'
import { patiently } from '../../transfer/transient-error.ts'
import { writeWholeFile } from '../../whole-file.ts'
import { type ClassifyPlan, resultIn, type ResultSpec } from './plan.ts'
import { type Receipt, receiptText } from './receipt.ts'

/** One input and its own results: one in each output folder. */
export interface Task {
  readonly input: Input
  readonly results: readonly ResultPlace[]
  /** with --resume: why it is not done */
  readonly reason?: string
}

/** The tasks of a run, and how many inputs an earlier run did. */
export type Selection = Awaited<ReturnType<typeof selectTasks>>

/**
 * Chooses the inputs of this run: its shard of the files, and with --resume those that are not done.
 *
 * @throws UsageError if two inputs have one result, a result exists already or is an input, or a flag does not suit an
 *   input's format
 */
export async function selectTasks(plan: ClassifyPlan, all: readonly Input[], modelSha256: string) {
  const { folders, shard, overwrite } = plan
  refuseWhere(plan, all)
  const every = all.map((input): Task => {
    const results = folders.map((folder) => resultPlace(resultIn(folder, input.relativeName, overwrite)))
    return { input, results }
  })
  refuseReplacing([...plan.shared, ...every.flatMap(({ results }) => results.map(({ spec }) => spec))], all)
  if (folders.length === 0) return { tasks: every, done: 0 }
  refuseSharedResults(every, folders[0]!.address)
  const mine = shard ? every.filter(({ input }) => crc32(input.relativePath) % shard.count === shard.index) : every
  if (!plan.resume) {
    if (!overwrite) await refuseExisting(mine)
    return { tasks: mine, done: 0 }
  }
  const reasons = await mapSome(mine, (task) => whyAgain(task, plan, modelSha256))
  const tasks = mine.flatMap((task, i) => (reasons[i] === undefined ? [] : [{ ...task, reason: reasons[i] }]))
  return { tasks, done: mine.length - tasks.length }
}

function refuseWhere({ where }: ClassifyPlan, inputs: readonly Input[]): void {
  if (where === undefined) return
  const other = inputs.find(({ spec }) => notSql(spec) !== undefined)
  if (!other) return
  const address = redacted(other.spec.address)
  throw new UsageError(
    `--where works only on Parquet and on a Postgres query, and ${address} is ${notSql(other.spec)}`,
    { hint: 'Filter the input first, convert it to Parquet, or use ?query=.' },
  )
}

/** What an input is that has no SQL. */
function notSql(spec: SourceSpec): string | undefined {
  if (spec.kind === 'postgres') return spec.reading.kind === 'query' ? undefined : 'a long table'
  if (spec.kind === 'kafka') return 'a topic'
  if (spec.kind === 'custom') return 'a source of your own'
  return spec.format === 'parquet' ? undefined : spec.format
}

/** Whatever may be replaced, features may not: only results can be made again. */
function refuseReplacing(outputs: readonly SinkSpec[], inputs: readonly Input[]): void {
  const own = new Set(inputs.map(({ spec }) => identityOf(spec)))
  const replaced = outputs.find((spec) => own.has(identityOf(spec) ?? ''))
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

function refuseSharedResults(tasks: readonly Task[], folder: string): void {
  const seen = new Set<string>()
  for (const { results } of tasks) {
    const { address } = results[0]!.spec
    if (seen.has(address)) {
      throw new UsageError(`two inputs would be written to ${basename(address)} in ${folder}`, {
        hint: 'Classify them into different folders.',
      })
    }
    seen.add(address)
  }
}

async function refuseExisting(tasks: readonly Task[]): Promise<void> {
  const results = tasks.flatMap((task) => task.results)
  const exist = await mapSome(results, (result) => result.exists())
  const result = results.find((_, i) => exist[i])
  if (!result) return
  throw new UsageError(`${result.spec.address} exists already`, {
    hint: 'Use --resume to do only what is not done, --overwrite to do everything again, or another folder.',
  })
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

/** Why an input must be classified (again), or undefined if the receipts beside its results say that it is done. */
async function whyAgain(
  { input, results }: Task,
  plan: ClassifyPlan,
  modelSha256: string,
): Promise<string | undefined> {
  for (const result of results) {
    const receipt = parseReceipt(await result.readReceipt())
    const exists = await result.exists()
    if (receipt === undefined) return exists ? 'its result has no receipt' : 'not done yet'
    if (receipt === 'unreadable') return 'its receipt cannot be read'
    if (!exists) return 'its result is gone'
    if (receipt.model.sha256 !== modelSha256) return 'it was classified with another model'
    if (JSON.stringify(receipt.options) !== JSON.stringify(plan.options)) return 'it was classified with other options'
    const change = changeOf(receipt.inputs[0], input.spec)
    if (change !== undefined) return change
  }
  return undefined
}

/** What changed in an input since its receipt was written. */
function changeOf(before: Receipt['inputs'][number] | undefined, spec: SourceSpec): string | undefined {
  if (spec.kind === 'stdin' || before === undefined) return 'stdin cannot be compared'
  if (spec.kind === 'postgres') return 'a database cannot be compared'
  if (spec.kind === 'kafka') return 'a topic cannot be compared'
  if (spec.kind === 'custom') return 'a source of your own cannot be compared'
  const { size, mtime } = spec.kind === 's3' ? { size: spec.size, mtime: undefined } : statSync(spec.path)
  if (before.size !== size) return `its size changed from ${before.size} to ${size} bytes`
  if (spec.kind === 's3') {
    if (spec.etag === null) return 'its service gives no ETag'
    return before.etag === plainEtag(spec.etag) ? undefined : 'its ETag changed'
  }
  return before.mtime === mtime?.toISOString() ? undefined : `it was modified at ${mtime?.toISOString()}`
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

/** A result, a file or an object, and the receipt beside it. What a bucket refuses is a ServiceError. */
interface ResultPlace {
  readonly spec: ResultSpec
  exists(): Promise<boolean>
  /** the text of the receipt, undefined where there is none */
  readReceipt(): Promise<string | undefined>
  removeReceipt(): Promise<void>
  writeReceipt(receipt: Receipt): Promise<void>
}

export function resultPlace(spec: ResultSpec): ResultPlace {
  return spec.kind === 's3' ? objectPlace(spec, spec.place) : filePlace(spec, spec.path)
}

function filePlace(spec: ResultSpec, path: string): ResultPlace {
  const receiptPath = `${path}.receipt.json`
  return {
    spec,
    exists: () => Promise.resolve(existsSync(path)),
    async readReceipt() {
      if (!existsSync(receiptPath)) return undefined
      // one that cannot be read vouches for nothing
      return readFile(receiptPath, 'utf8').catch(() => '')
    },
    removeReceipt: () => rm(receiptPath, { force: true }),
    writeReceipt: (receipt) => writeWholeFile(receiptPath, receiptText(receipt)),
  }
}

const hint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right? Finished results stay: --resume goes on.'

function objectPlace(spec: ResultSpec, place: S3Place): ResultPlace {
  const { key } = place
  const receiptKey = `${key}.receipt.json`
  const ask = <T>(work: (bucket: S3Bucket) => Promise<T>): Promise<T> =>
    patiently(async () => work(await bucketToWrite(place)), { hint })
  return {
    spec,
    exists: async () => (await ask((bucket) => bucket.stat(key))) !== undefined,
    readReceipt: () => ask((bucket) => textOf(bucket, receiptKey)),
    removeReceipt: () => ask((bucket) => bucket.remove(receiptKey)),
    async writeReceipt(receipt) {
      const text = Buffer.from(receiptText(receipt))
      const written = await ask((bucket) => bucket.write(receiptKey, text, { contentType: 'application/json' }))
      if (written === 'changed') throw new ServiceError(`${spec.address}.receipt.json: somebody else is writing it`)
    },
  }
}

/** A receipt of more bytes is none of ours. */
const mostReceiptBytes = 16 * 1024 * 1024

async function textOf(bucket: S3Bucket, key: string): Promise<string | undefined> {
  const found = await bucket.read(key, {})
  if (found === undefined || found === 'changed') return undefined
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of found.body as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > mostReceiptBytes) return ''
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
