// `--shard`: the part of the input that was typed, I/N, or that a scheduler gave to this process of a job array.
import { UsageError } from '../errors.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Part `index` (from 0) of `count`. */
export interface Shard {
  readonly index: number
  readonly count: number
  /** the variables that say so; undefined for a part that was typed */
  readonly from?: string
}

/** What a scheduler puts into the environment of each task: names of variables, or numbers where it has a fixed one. */
interface Scheduler {
  readonly name: string
  readonly index: string
  /** index of the first task */
  readonly first: string | number
  readonly last?: string
  readonly step?: string
  readonly count?: string
  /** what the index is outside of an array */
  readonly isNone?: (index: string) => boolean
  /** how its arrays must be, as it does not tell */
  readonly rule?: string
}

const fromOne = 'its first index must be 1'

const schedulers: readonly Scheduler[] = [
  {
    name: 'Slurm',
    index: 'SLURM_ARRAY_TASK_ID',
    first: 'SLURM_ARRAY_TASK_MIN',
    last: 'SLURM_ARRAY_TASK_MAX',
    step: 'SLURM_ARRAY_TASK_STEP',
    count: 'SLURM_ARRAY_TASK_COUNT',
  },
  { name: 'Kubernetes', index: 'JOB_COMPLETION_INDEX', first: 0 },
  { name: 'AWS Batch', index: 'AWS_BATCH_JOB_ARRAY_INDEX', first: 0, count: 'AWS_BATCH_JOB_ARRAY_SIZE' },
  { name: 'PBS Pro', index: 'PBS_ARRAY_INDEX', first: 1, rule: fromOne },
  { name: 'Torque', index: 'PBS_ARRAYID', first: 1, rule: fromOne },
  {
    name: 'LSF',
    index: 'LSB_JOBINDEX',
    first: 1,
    last: 'LSB_JOBINDEX_END',
    step: 'LSB_JOBINDEX_STEP',
    isNone: (index) => index === '0',
    rule: fromOne,
  },
  {
    name: 'Grid Engine',
    index: 'SGE_TASK_ID',
    first: 'SGE_TASK_FIRST',
    last: 'SGE_TASK_LAST',
    step: 'SGE_TASK_STEPSIZE',
    isNone: (index) => index === 'undefined',
  },
]

/** Gives the number of parts where a scheduler does not, and must agree with one that does. */
const countVariable = 'LCCLF_SHARD_COUNT'

/**
 * Reads `I/N`, I from 1 to N, or `auto`: the place of this process in the array that a scheduler runs.
 *
 * @throws UsageError for other texts; for auto where the environment names no part, one outside of the array, or several
 *   that differ
 */
export function shardOf(text: string, environment: Environment): Shard {
  if (text === 'auto') return shardOfArray(environment)
  const found = /^(\d+)\/(\d+)$/.exec(text)
  const index = Number(found?.[1])
  const count = Number(found?.[2])
  if (!found || count < 1 || index < 1 || index > count) {
    throw new UsageError(`--shard ${text}: expected I/N with I from 1 to N, for example 3/16, or auto`)
  }
  return { index: index - 1, count }
}

function shardOfArray(environment: Environment): Shard {
  const given = numberIn(environment, countVariable)
  const places = schedulers.flatMap((scheduler) => placeIn(scheduler, environment, given) ?? [])
  const [place] = places
  if (!place) throw notInArray()
  if (places.some(({ index, count }) => index !== place.index || count !== place.count)) {
    const variables = places.map(({ from, index, count }) => `${from}: ${index + 1}/${count}`)
    throw new UsageError(`--shard auto: several schedulers name different parts (${variables.join('; ')})`, {
      hint: 'Unset the variables of those that do not run this array, or name the part: --shard I/N.',
    })
  }
  return place
}

function placeIn(scheduler: Scheduler, environment: Environment, given: number | undefined): Shard | undefined {
  const { index: variable, isNone, rule } = scheduler
  const text = environment[variable]
  if (text === undefined || text === '' || isNone?.(text)) return undefined
  const { first, step, count } = extentOf(scheduler, environment)
  if (given !== undefined && count !== undefined && given !== count) {
    throw new UsageError(
      `--shard auto: ${countVariable}=${given}, but the array of ${scheduler.name} has ${count} tasks`,
      {
        hint: 'If only some parts run again, name each of them: --shard I/N.',
      },
    )
  }
  const parts = count ?? given
  if (parts === undefined) throw withoutCount(scheduler)
  const index = (numberIn(environment, variable)! - first) / step
  if (!Number.isInteger(index) || index < 0 || index >= parts) {
    const names = [variable, scheduler.first, scheduler.last, scheduler.step, scheduler.count, countVariable]
    throw new UsageError(`--shard auto: no part of ${parts} (${shown(names, environment)})`, {
      hint: `An array must be a plain range${rule === undefined ? '' : `, and ${rule}`}. Or name the part: --shard I/N.`,
    })
  }
  return { index, count: parts, from: count === undefined ? `${variable} and ${countVariable}` : variable }
}

/** Where an array begins, in which steps it counts, and how many tasks it has, if that is known. */
function extentOf(scheduler: Scheduler, environment: Environment) {
  const { name, index } = scheduler
  const numberOf = (variable: string | undefined) =>
    variable === undefined ? undefined : numberIn(environment, variable)
  const first = typeof scheduler.first === 'number' ? scheduler.first : numberOf(scheduler.first)
  if (first === undefined) {
    throw new UsageError(`--shard auto: ${index} is set, but ${scheduler.first} is not`, {
      hint: `${name} sets both in each task of an array. Or name the part: --shard I/N.`,
    })
  }
  const step = numberOf(scheduler.step) || 1
  const last = numberOf(scheduler.last)
  const spanned = last === undefined ? undefined : Math.floor((last - first) / step) + 1
  const count = numberOf(scheduler.count) ?? spanned
  if (count !== undefined && spanned !== undefined && count !== spanned) {
    const names = [scheduler.first, scheduler.last, scheduler.step, scheduler.count]
    throw new UsageError(`--shard auto: the array is a list, not a range (${shown(names, environment)})`, {
      hint: `Where an index stands in a list, ${name} does not say. Number the tasks in one range, or name the part: --shard I/N.`,
    })
  }
  return { first, step, count }
}

function numberIn(environment: Environment, variable: string): number | undefined {
  const text = environment[variable]
  if (text === undefined || text === '') return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`--shard auto: ${shown([variable], environment)} is not a whole number`)
}

/** Variables that are set, with their values. */
function shown(names: readonly (string | number | undefined)[], environment: Environment): string {
  const set = names.filter((name) => typeof name === 'string' && environment[name] !== undefined) as string[]
  return set.map((name) => `${name}=${environment[name]}`).join(', ')
}

function notInArray(): UsageError {
  const known = schedulers.map(({ name, index }) => `${index} (${name})`)
  return new UsageError('--shard auto: this process is not part of a job array', {
    hint: `None of these is set: ${known.join(', ')}. Outside of an array name the part: --shard I/N.`,
  })
}

function withoutCount({ name, index, rule }: Scheduler): UsageError {
  const inManifest =
    name === 'Kubernetes'
      ? `add it to the container's env, with the number that stands in the Job's completions`
      : `set it to the number of tasks in the array (${rule}), for example with qsub -v`
  return new UsageError(`--shard auto: ${index} is set, but not ${countVariable}`, {
    hint: `${name} does not say how many tasks there are: ${inManifest}.`,
  })
}
