// What a run has to do: its inputs, each with its results in the output folders; with --resume only those that are not done.
import { realpathSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Input } from '../../connectors/inputs.ts'
import { addressOfPlace } from '../../connectors/s3/address.ts'
import type { SinkSpec, SourceSpec } from '../../connectors/spec.ts'
import { UsageError } from '../../errors.ts'
import { redacted } from '../../formats/shown-text.ts'
import { type ClassifyPlan, resultIn, type ResultSpec } from './plan.ts'
import { type ResultPlace, resultPlace } from './result-place.ts'
import { type Answering, refuseOthersResults, standingIn, whyAgain } from './standing.ts'

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
 * @throws UsageError if two inputs have one result, a result exists already, is an input or is another model's, or a flag
 *   does not suit an input's format
 */
export async function selectTasks(plan: ClassifyPlan, all: readonly Input[], answering: Answering) {
  const { folders, shard, overwrite } = plan
  refuseWhere(plan, all)
  const every = all.map((input): Task => {
    const results = folders.map((folder) => resultPlace(resultIn(folder, input.relativeName, overwrite)))
    return { input, results }
  })
  refuseReplacing([...plan.shared, ...every.flatMap(({ results }) => results.map(({ spec }) => spec))], all)
  if (answering.isDemonstration && overwrite) {
    await mapSome(plan.shared.filter(isFileOrObject).map(resultPlace), (place) => lookAt(place, plan, answering))
  }
  if (folders.length === 0) return { tasks: every, done: 0, finished: [] }
  refuseSharedResults(every, folders[0]!.address)
  const mine = shard ? every.filter(({ input }) => crc32(input.relativePath) % shard.count === shard.index) : every
  if (!overwrite) await refuseExisting(mine)
  if (!plan.resume && !answering.isDemonstration) return { tasks: mine, done: 0, finished: [] }
  const reasons = await mapSome(mine, async ({ input, results }) => {
    const standing = []
    for (const result of results) standing.push(await lookAt(result, plan, answering))
    return standing.map((one) => whyAgain(one, input.spec, plan, answering)).find((reason) => reason !== undefined)
  })
  if (!plan.resume) return { tasks: mine, done: 0, finished: [] }
  const tasks = mine.flatMap((task, i) => (reasons[i] === undefined ? [] : [{ ...task, reason: reasons[i] }]))
  const finished = mine.filter((_, i) => reasons[i] === undefined)
  return { tasks, done: finished.length, finished }
}

/** What stands in a place, which must not be another model's unless this run may replace it. */
async function lookAt(place: ResultPlace, plan: ClassifyPlan, answering: Answering) {
  const standing = await standingIn(place)
  await refuseOthersResults(place, standing, plan, answering)
  return standing
}

function isFileOrObject(spec: SinkSpec): spec is ResultSpec {
  return spec.kind === 'file' || spec.kind === 's3'
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
  if (spec.kind === 'unreadable') return undefined
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
  const seen = new Map<string, Input>()
  for (const { input, results } of tasks) {
    const { address } = results[0]!.spec
    const other = seen.get(address)
    if (other) {
      const [a, b] = [other, input].map(({ spec }) => redacted(spec.address)) as [string, string]
      throw new UsageError(`two inputs would be written to ${basename(address)} in ${folder}: ${a} and ${b}`, {
        hint:
          dirname(a) === dirname(b)
            ? 'Classify them into different folders.'
            : `Name the folder that holds them all${above(a, b)}, or put quotes around the pattern: results then keep the names of its folders.`,
      })
    }
    seen.set(address, input)
  }
}

/** The folder that holds both, in words; empty for the root and for where the command was typed. */
function above(a: string, b: string): string {
  const theirs = dirname(b).split('/')
  const common = dirname(a).split('/')
  const end = common.findIndex((name, i) => name !== theirs[i])
  const folder = common.slice(0, end === -1 ? undefined : end).join('/')
  return folder === '' ? '' : ` (${folder}/)`
}

async function refuseExisting(tasks: readonly Task[]): Promise<void> {
  const results = tasks.flatMap((task) => task.results)
  const found = await mapSome(results, (result) => result.look())
  const result = results.find((_, i) => found[i])
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
