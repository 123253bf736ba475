// What can be typed after a command. Values are checked here, pairs of flags in the plans.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import type { InferredFlags } from '@oclif/core/interfaces'
import { UsageError } from '../errors.ts'
import { inputFormats, outputFormats } from '../connectors/address.ts'
import { outputSchemas } from '../connectors/kafka/output-message.ts'
import { shardOf } from './shard.ts'
import { calibrationFlags, dialectFlags, excerptFlags, noveltyFlag } from './file-flags.ts'
import { group, repeatable, wholeNumber } from './flag-kinds.ts'
import { classifyWatchFlags, streamWatchFlags } from './watch-flags.ts'

type CamelCase<Name> = Name extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : Name
type CamelCased<Flags> = {
  readonly [Name in keyof Flags as undefined extends Flags[Name] ? never : CamelCase<Name> & string]: Flags[Name]
} & {
  readonly [Name in keyof Flags as undefined extends Flags[Name] ? CamelCase<Name> & string : never]?: Flags[Name]
}

/** What the parser makes of these definitions, under the names that code uses: `id-column` is `idColumn`. */
export type Typed<Definitions> = CamelCased<InferredFlags<Definitions>>

export function camelCased<Parsed extends object>(flags: Parsed): CamelCased<Parsed> {
  const entries = Object.entries(flags).map(([name, value]: [string, unknown]) => {
    return [name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()), value]
  })
  return Object.fromEntries(entries) as CamelCased<Parsed>
}

const { input, model, output, run } = group

export const modelReference =
  "a bundle's folder, its .tar.gz, an address (https://…, s3://…), name@version, or a name in the model store (its highest version)"

export function modelFlags(withoutOne: string) {
  return {
    model: Flags.string({
      char: 'm',
      env: 'LCCLF_MODEL',
      helpValue: 'REF',
      ...model,
      description: `${modelReference} (default: ${withoutOne})`,
    }),
  }
}

const engineFlags = {
  engine: Flags.option({
    options: ['forest', 'onnx'] as const,
    ...model,
    description:
      'forest: equal to scikit-learn in every bit; onnx: onnxruntime, within 1e-6 (default: forest if the model is one)',
  })(),
  threads: wholeNumber({
    min: 0,
    max: 1024,
    default: 0,
    helpValue: 'N',
    ...model,
    description: 'threads that classify (0: one for each core, or a single one for a small model)',
  }),
  'watch-quality': Flags.boolean({
    ...model,
    description:
      "warn while classifying if features or classes are not as usual (the night watch without its memory: judged by the model's profile, or by the first objects)",
  }),
}

/** The object that `--json` prints is the same for every run of a command. */
export const jsonFlags = { json: Flags.boolean({ description: 'print one JSON object on stdout' }) }
export const quietFlags = { quiet: Flags.boolean({ char: 'q', description: 'print nothing but errors on stderr' }) }

/** How many rows may be rejected before a run exits 3. */
export type RejectionBound = { readonly rows: number } | { readonly percent: number }

/** `100` or `1.5%`, undefined for anything else. */
export function bound(text: string): RejectionBound | undefined {
  const found = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const value = Number(found?.[1])
  if (!found || (found[2] === '' && !Number.isInteger(value)) || (found[2] === '%' && value > 100)) return undefined
  return found[2] === '%' ? { percent: value } : { rows: value }
}

function rejectionBound(text: string): RejectionBound {
  const found = bound(text)
  if (found) return found
  throw new UsageError(`--max-rejected ${text}: expected a number of rows or a percentage, for example 100 or 1%`)
}

/** `OLD=NEW`, divided at `at`. */
export function pair(flag: string, text: string, at: number): readonly [from: string, to: string] {
  if (at <= 0 || at === text.length - 1) throw new UsageError(`${flag} ${text}: expected OLD=NEW`)
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Columns that have other names than the model's features. */
export function renameFlags(what: string, place: { readonly helpGroup: string; readonly dependsOn?: string[] }) {
  return {
    // no feature has a = in its name, so the first one divides
    rename: Flags.custom({ parse: (text) => Promise.resolve(pair('--rename', text, text.indexOf('='))) })({
      ...repeatable,
      helpValue: 'OLD=NEW',
      ...place,
      description: `read ${what} OLD as NEW (repeatable)`,
    }),
    'rename-map': Flags.string({
      helpValue: 'NAME',
      ...place,
      description:
        "a known set of renames. alerce-2024: spellings since 2024, for models of 2020 (W1_W2_12 as W1-W2). alerce-2025: older spellings and the database's, for the model of 2025 (Power_rate_1/2_g,r as Power_rate_1_2_12). Columns that are not there are ignored; --rename wins",
    }),
  }
}

/** Which messages of a topic; `when` says for which use. */
function timeWindowFlags(when: string) {
  const one = (helpValue: string, what: string) =>
    Flags.string({ helpValue, ...input, description: `${when}: messages ${what}` })
  return {
    since: one('TIME', 'from this time on (ISO-8601 or ms since 1970)'),
    until: one('TIME', 'before this time'),
    on: one('DATE', 'of this UTC day'),
  }
}

export const columnFlags = {
  'from-format': Flags.option({
    options: inputFormats,
    ...input,
    description: 'format of the inputs if their names do not say it; stdin is recognised by its first bytes',
  })(),
  ...dialectFlags,
  'id-column': Flags.string({ default: 'oid', helpValue: 'NAME', ...input, description: 'column of the object id' }),
  'candid-column': Flags.string({
    default: 'candid',
    helpValue: 'NAME',
    ...input,
    description: 'column of the alert id',
  }),
  ...renameFlags('input column', input),
}

const rowFlags = {
  where: Flags.string({
    helpValue: 'SQL',
    ...input,
    description:
      "only rows that satisfy this condition, written with the input's own column names: for Postgres queries, and for Parquet files (by DuckDB, which can read nothing but that file)",
  }),
  limit: wholeNumber({ min: 0, helpValue: 'N', ...input, description: 'read at most N rows in all' }),
}

export const reportFlags = {
  report: Flags.string({
    helpValue: 'FILE.html',
    ...output,
    description: 'write a report with figures and tables: one file, for any browser',
  }),
}

function toFlags(what: string) {
  return { to: Flags.string({ char: 'o', ...repeatable, helpValue: 'ADDRESS', ...output, description: what }) }
}

const mjdColumn = {
  'mjd-column': Flags.string({
    helpValue: 'NAME',
    ...input,
    description:
      "for tables and commands with lastmjd: the column of an object's newest MJD (default: mjd; of a message without it, the newest of its detections)",
  }),
}
const missingObject = {
  options: ['wait', 'reject', 'fail'] as const,
  ...output,
  description:
    'Postgres: for an oid that is not in the table object, wait some seconds and then reject it, reject it at once, or fail',
}
const outputSchema = {
  options: outputSchemas,
  ...output,
  description:
    "Kafka: original is the survey's schema of 2021, legal the same for every Avro library, alerce-2025 the survey's own since then",
}

const batchRange = { min: 1, max: 100_000, helpValue: 'N' }
const batchSize = { ...batchRange, default: 1000 }

export const classifyFlags = {
  ...columnFlags,
  ...mjdColumn,
  ...rowFlags,
  shard: Flags.custom({ parse: (text) => Promise.resolve(shardOf(text, process.env)) })({
    helpValue: 'I/N|auto',
    ...input,
    description:
      'only part I of N (by the CRC-32 of the oid; whole files if the output is a folder); auto: the part that this task of a job array has (Slurm, Kubernetes, AWS Batch, PBS, LSF, Grid Engine; LCCLF_SHARD_COUNT)',
  }),
  ...timeWindowFlags('Kafka'),
  commit: Flags.boolean({
    ...input,
    description: "Kafka: commit the group's offsets once every output has been written",
  }),
  'absent-as-null': Flags.boolean({
    ...input,
    description: 'NDJSON: a feature whose key is absent is read as null (default: the row is rejected)',
  }),
  duplicates: Flags.option({
    options: ['all', 'newest'] as const,
    default: 'all' as const,
    ...input,
    description: 'all: every row; newest: for each oid of an input, the row with the largest candid',
  })(),
  ...modelFlags(
    'lcclf.lock, or else the sample model of this package; into Postgres and Kafka the newest in the store',
  ),
  ...engineFlags,
  ...classifyWatchFlags,
  ...toFlags(
    'file, folder/, s3://…, postgres://…, kafka://… or - for stdout (repeatable: each gets every row; default: -)',
  ),
  'to-format': Flags.option({
    options: outputFormats,
    ...output,
    description: 'format of stdout (default: csv) or of the files in a folder (default: parquet)',
  })(),
  layout: Flags.option({
    options: ['wide', 'long', 'nested'] as const,
    ...output,
    description:
      'wide: one row per object; long: the rows of the Probability table; nested: one structure per object (default: nested for NDJSON, otherwise wide)',
  })(),
  margins: Flags.boolean({
    ...output,
    description:
      'for a booster: also write what its trees add up to, before it becomes probabilities, as margin/CLASS (wide) or a structure margins (nested)',
  }),
  ...excerptFlags,
  ...calibrationFlags,
  ...noveltyFlag,
  overwrite: Flags.boolean({
    ...output,
    description: "replace existing results (the sample model, when you name none, replaces no other model's)",
  }),
  resume: Flags.boolean({
    ...output,
    description:
      "with a folder as output: skip inputs whose result is there as its receipt says; another model's results are kept",
  }),
  rejects: Flags.string({
    helpValue: 'FILE.ndjson',
    ...output,
    description: 'write rows that could not be classified to this file, each with its reason',
  }),
  'max-rejected': Flags.custom<RejectionBound>({ parse: (text) => Promise.resolve(rejectionBound(text)) })({
    helpValue: 'N|P%',
    ...output,
    description: 'exit 3 if more rows are rejected (default: only if all are)',
  }),
  'missing-object': Flags.option(missingObject)(),
  'output-schema': Flags.option(outputSchema)(),
  receipt: Flags.string({
    helpValue: 'FILE.json',
    ...output,
    description: 'write the receipt of the run: what was read, classified, rejected, written',
  }),
  ...reportFlags,
  // a flag with a letter comes first in its group, because oclif then indents them alike
  quiet: Flags.boolean({ char: 'q', ...run, description: 'print nothing but errors on stderr' }),
  'batch-size': wholeNumber({ ...batchSize, ...run, description: 'objects classified at a time' }),
  'dry-run': Flags.boolean({ ...run, description: 'check inputs and model, print the plan, write nothing' }),
  'no-progress': Flags.boolean({
    ...run,
    description: 'no progress bar on a terminal, and no line every ten seconds elsewhere',
  }),
  json: Flags.boolean({ ...run, description: 'print the receipt as one JSON object on stdout' }),
}
export type ClassifyFlags = Typed<typeof classifyFlags>

export const workerFlags = {
  ...modelFlags('lcclf.lock, or else the sample model of this package'),
  engine: engineFlags.engine,
  threads: engineFlags.threads,
}
export type WorkerFlags = Typed<typeof workerFlags>

export const checkFlags = {
  ...columnFlags,
  ...rowFlags,
  ...timeWindowFlags('Kafka'),
  ...modelFlags('lcclf.lock, or else the sample model of this package'),
  json: Flags.boolean({ ...output, description: 'print one JSON object on stdout' }),
}
export type CheckFlags = Typed<typeof checkFlags>

/** `lcclf stream`: what is not typed may be in the environment of the survey's steps, or in their file of settings. */
export const streamFlags = {
  config: Flags.string({
    helpValue: 'FILE.yaml',
    ...input,
    description:
      "the settings of the survey's steps since 2023 (default: CONFIG_FROM_YAML, a path, or yes for /config/config.yaml); flags win, and the environment fills in its ${VAR}",
  }),
  from: Flags.string({
    helpValue: 'ADDRESS',
    ...input,
    description:
      'kafka://host:9092[,host2]/topic[,topic2]?group=NAME[&schema=FILE.avsc] (default: CONSUMER_SERVER, CONSUMER_TOPICS, CONSUMER_GROUP_ID, CONSUMER_SCHEMA_PATH)',
  }),
  'batch-size': wholeNumber({
    ...batchRange,
    ...input,
    description: 'messages in a batch (default: CONSUME_MESSAGES, or else 1000)',
  }),
  'batch-timeout': Flags.custom<number>({ parse: (text) => Promise.resolve(secondsOf(text)) })({
    helpValue: 'SECONDS',
    ...input,
    description: 'process a partial batch after this many seconds (default: CONSUME_TIMEOUT, or else 10)',
  }),
  'until-caught-up': Flags.boolean({
    ...input,
    description: 'exit after processing everything that was there at startup',
  }),
  ...mjdColumn,
  ...timeWindowFlags('with --no-commit'),
  commit: Flags.boolean({
    allowNo: true,
    default: true,
    ...input,
    description: 'commit offsets; --no-commit replays on its own and leaves the live group untouched',
  }),
  ...modelFlags('lcclf.lock, or else the newest in the store'),
  ...engineFlags,
  ...streamWatchFlags,
  ...toFlags('kafka://…, postgres://… or - for NDJSON (repeatable; default: what PRODUCER_…, SCRIBE_… and DB_… name)'),
  delivery: Flags.option({
    options: ['at-least-once', 'exactly-once'] as const,
    default: 'at-least-once' as const,
    ...output,
    description: 'exactly-once: outputs and offsets in one Kafka transaction',
  })(),
  ...calibrationFlags,
  ...noveltyFlag,
  'missing-object': Flags.option({ ...missingObject, default: 'wait' as const })(),
  'output-schema': Flags.option({
    ...outputSchema,
    description: `${outputSchema.description} (default: as PRODUCER_SCHEMA_PATH says, or else original)`,
  })(),
  'dead-letter': Flags.string({
    helpValue: 'ADDRESS',
    ...output,
    description: 'kafka://… or FILE.ndjson for messages that were not classified, each with its reason',
  }),
  'on-bad-message': Flags.option({
    options: ['dead-letter', 'skip', 'stop'] as const,
    ...output,
    description:
      'what happens to messages that do not decode, or lack oid or candid (default: dead-letter if one is given, otherwise stop)',
  })(),
  'metrics-port': wholeNumber({
    min: 0,
    max: 65_535,
    helpValue: 'PORT',
    ...run,
    description: 'serve /metrics for Prometheus, /healthz and /readyz',
  }),
  'dry-run': Flags.boolean({ ...run, description: 'print the plan, without secrets, and exit' }),
}
export type StreamFlags = Typed<typeof streamFlags>

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds <= 0 || seconds > 86_400) {
    throw new UsageError(`--batch-timeout ${text}: expected seconds`)
  }
  return seconds
}

export const letterArgument = {
  address: Args.string({ required: true, description: 'kafka://host:9092/topic or FILE.ndjson' }),
}

export const letterFlags = {
  reason: Flags.string({ helpValue: 'TEXT', description: 'only letters whose reason contains this' }),
  limit: wholeNumber({ min: 0, helpValue: 'N', description: 'at most N letters' }),
}
