// Flags shared by commands. Values are checked here, pairs of flags in the plan.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'

/** `--rename OLD=NEW`. The first `=` divides: no feature has one in its name. */
function renamePair(text: string): { from: string; to: string } {
  const at = text.indexOf('=')
  if (at <= 0 || at === text.length - 1) throw new UsageError(`--rename ${text}: expected OLD=NEW`)
  return { from: text.slice(0, at), to: text.slice(at + 1) }
}

/** `--shard I/N`, I from 1 to N. */
function shardOf(text: string): { index: number; count: number } {
  const found = /^(\d+)\/(\d+)$/.exec(text)
  const index = Number(found?.[1])
  const count = Number(found?.[2])
  if (!found || count < 1 || index < 1 || index > count) {
    throw new UsageError(`--shard ${text}: expected I/N with I from 1 to N, for example 3/16`)
  }
  return { index: index - 1, count }
}

/** How many rejects a run may have before it exits 3. */
export type RejectionBound = { readonly rows: number } | { readonly percent: number }

/** `--max-rejected 100` or `--max-rejected 1.5%`. */
function rejectionBound(text: string): RejectionBound {
  const found = /^(\d+(?:\.\d+)?)(%?)$/.exec(text)
  const value = Number(found?.[1])
  if (!found || (found[2] === '' && !Number.isInteger(value)) || (found[2] === '%' && value > 100)) {
    throw new UsageError(`--max-rejected ${text}: expected a number of rows or a percentage, for example 100 or 1%`)
  }
  return found[2] === '%' ? { percent: value } : { rows: value }
}

/** Headings of the flags in a command's help. */
export const inputGroup = 'INPUT'
/** See inputGroup. */
export const outputGroup = 'OUTPUT'
/** See inputGroup. */
export const runGroup = 'RUN'

/** A report for people. */
export const reportFlag = {
  report: Flags.string({
    helpValue: 'FILE.html',
    helpGroup: outputGroup,
    description: 'write a report with figures and tables, one file for any browser',
  }),
}

/** What stands for a model. */
const modelReference = "a bundle's folder, name@version or name in the model store"

/** Which model a command is about. */
export const modelArgument = {
  reference: Args.string({ name: 'REF', description: modelReference, required: true }),
}

/** Which model answers. */
export const modelFlag = {
  model: Flags.string({
    char: 'm',
    env: 'LCCLF_MODEL',
    helpValue: 'REF',
    description: `${modelReference}; without one, the sample model of this package`,
  }),
}

/** Which messages of a topic; `when` says for which use. */
export function timeWindowFlags(when: string) {
  return {
    since: Flags.string({
      helpValue: 'TIME',
      helpGroup: inputGroup,
      description: `${when}: messages from this time on (ISO-8601 or ms since 1970)`,
    }),
    until: Flags.string({
      helpValue: 'TIME',
      helpGroup: inputGroup,
      description: `${when}: messages before this time`,
    }),
    on: Flags.string({ helpValue: 'DATE', helpGroup: inputGroup, description: `${when}: messages of this UTC day` }),
  }
}

/** Names of columns that are others than the model's; `what` OLD is. */
export function renameFlags(what: string, place: { readonly helpGroup: string; readonly dependsOn?: string[] }) {
  return {
    rename: Flags.custom({ parse: (text) => Promise.resolve(renamePair(text)) })({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'OLD=NEW',
      ...place,
      description: `read ${what} OLD as NEW (repeatable)`,
    }),
    'rename-map': Flags.string({
      helpValue: 'NAME',
      ...place,
      description:
        'renames that are known by name: alerce-2024 reads the spellings of the survey since 2024 (W1_W2_12 as W1-W2). A column that is not there is passed over; --rename wins',
    }),
  }
}

/** How inputs are read. */
export const inputFlags = {
  'from-format': Flags.option({
    options: ['parquet', 'csv', 'tsv', 'ndjson', 'arrow', 'avro'] as const,
    helpGroup: inputGroup,
    description: 'format of the inputs, where the name does not say it (needed for stdin)',
  })(),
  'id-column': Flags.string({ default: 'oid', helpGroup: inputGroup, description: 'column of the object id' }),
  'candid-column': Flags.string({ default: 'candid', helpGroup: inputGroup, description: "column of the alert's id" }),
  ...renameFlags('input column', { helpGroup: inputGroup }),
  where: Flags.string({
    helpValue: 'SQL',
    helpGroup: inputGroup,
    description:
      "only rows for which this is true, of Parquet files (SQL run as it stands by DuckDB, which can read that file and nothing else) and of a Postgres query. Sees the input's own column names",
  }),
  limit: Flags.integer({ min: 0, helpValue: 'N', helpGroup: inputGroup, description: 'read at most N rows in all' }),
  shard: Flags.custom({ parse: (text) => Promise.resolve(shardOf(text)) })({
    helpValue: 'I/N',
    helpGroup: inputGroup,
    description: 'only part I of N (by CRC-32 of the oid; whole files where the output is a folder)',
  }),
  ...timeWindowFlags('of Kafka'),
  commit: Flags.boolean({
    helpGroup: inputGroup,
    description: "of Kafka: the end of what was read becomes the group's offsets, once every output has it",
  }),
  duplicates: Flags.option({
    options: ['all', 'newest'] as const,
    default: 'all' as const,
    helpGroup: inputGroup,
    description: 'all: every row; newest: of each oid of an input the row with the largest candid',
  })(),
}

/** Where results go, and in which form. */
export const outputFlags = {
  to: Flags.string({
    char: 'o',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'ADDRESS',
    helpGroup: outputGroup,
    description: 'file, folder/, s3://…, postgres://…, kafka://… or - (repeatable: each gets every row; default -)',
  }),
  'to-format': Flags.option({
    options: ['parquet', 'csv', 'tsv', 'ndjson', 'arrow'] as const,
    helpGroup: outputGroup,
    description: 'format of stdout (default csv) or of the files in a folder (default parquet)',
  })(),
  layout: Flags.option({
    options: ['wide', 'long', 'nested'] as const,
    helpGroup: outputGroup,
    description:
      'wide: a row an object; long: the rows of the Probability table; nested (default nested for NDJSON, else wide)',
  })(),
  overwrite: Flags.boolean({ helpGroup: outputGroup, description: 'replace results that exist' }),
  rejects: Flags.string({
    helpValue: 'FILE.ndjson',
    helpGroup: outputGroup,
    description: 'write rows that could not be classified to this file, each with its reason',
  }),
  'max-rejected': Flags.custom<RejectionBound>({ parse: (text) => Promise.resolve(rejectionBound(text)) })({
    helpValue: 'N|P%',
    helpGroup: outputGroup,
    description: 'exit 3 if more rows are rejected (default: only if all are)',
  }),
  'missing-object': Flags.option({
    options: ['wait', 'reject', 'fail'] as const,
    helpGroup: outputGroup,
    description:
      'an object without a row in the table object: wait some seconds and then reject it (default), reject it, or end the run',
  })(),
  'output-schema': Flags.option({
    options: ['original', 'legal'] as const,
    helpGroup: outputGroup,
    description: "of messages: original: the survey's own (default); legal: one that every Avro library accepts",
  })(),
  receipt: Flags.string({
    helpValue: 'FILE.json',
    helpGroup: outputGroup,
    description: 'write the receipt of the run: what was read, classified, rejected, written',
  }),
  resume: Flags.boolean({
    helpGroup: outputGroup,
    description: 'with a folder output: pass over inputs whose receipt says that they are done',
  }),
}

/** How the run goes and what it says. */
export const runFlags = {
  engine: Flags.option({
    options: ['forest', 'onnx'] as const,
    helpGroup: runGroup,
    description:
      'forest: equal to scikit-learn in every bit; onnx: onnxruntime, within 1e-6 (default: forest, where the model is one)',
  })(),
  threads: Flags.integer({
    min: 0,
    max: 1024,
    default: 0,
    helpValue: 'N',
    helpGroup: runGroup,
    description: 'threads that classify (0: one for each core, a single one for a small model)',
  }),
  'batch-size': Flags.integer({
    min: 1,
    max: 100_000,
    default: 1000,
    helpValue: 'N',
    helpGroup: runGroup,
    description: 'objects classified at a time',
  }),
  'watch-quality': Flags.boolean({
    helpGroup: runGroup,
    description:
      "warn while classifying when features are null far more often than usual, or shares of classes move tenfold (by the model's profile; from 500 objects on)",
  }),
  'dry-run': Flags.boolean({
    helpGroup: runGroup,
    description: 'say what would be done, check inputs and model, write nothing',
  }),
  quiet: Flags.boolean({ char: 'q', helpGroup: runGroup, description: 'say nothing on stderr but errors' }),
  'no-progress': Flags.boolean({
    helpGroup: runGroup,
    description: 'no progress bar on a terminal, no line every ten seconds elsewhere',
  }),
  json: Flags.boolean({ helpGroup: runGroup, description: 'print the receipt as one JSON object on stdout' }),
}

/** Which database. */
export const databaseArgument = {
  address: Args.string({
    name: 'ADDRESS',
    default: 'postgres://',
    description: 'postgres://user@host:5432/database; postgres:// alone stands for the DB_* or PG* variables',
  }),
}

/** How a database's tables are managed. */
export const databaseFlags = {
  'dry-run': Flags.boolean({ description: 'print the SQL, do nothing' }),
  json: Flags.boolean({ description: 'print one JSON object on stdout' }),
}

// Flags of `lcclf evaluate` that are more than text.

/** `--rename-class OLD=NEW`. The last `=` divides: no class of a taxonomy has one, a label of somebody else's may. */
export function classRename(text: string): { from: string; to: string } {
  const at = text.lastIndexOf('=')
  if (at <= 0 || at === text.length - 1) throw new UsageError(`--rename-class ${text}: expected OLD=NEW`)
  return { from: text.slice(0, at), to: text.slice(at + 1) }
}
