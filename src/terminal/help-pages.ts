// The pages of help-topics.ts: formats, addresses, exit codes. Their lists are the code's own tables.
import { type InputFormat, inputFormats, outputFormats, suffixesOf } from '../connectors/address.ts'
import { addressParameters } from '../connectors/kafka/address.ts'
import { parametersFor } from '../connectors/postgres/address.ts'
import { exitCodes } from '../errors.ts'

type Pair = readonly [left: string, right: string]
/** A part of a page: text, or pairs of what stands left and right. */
type HelpSection = { readonly heading: string } & ({ readonly text: string } | { readonly pairs: readonly Pair[] })

/** Every format has to have its line here. */
const aboutFormat: Readonly<Record<InputFormat, string>> = {
  parquet: 'any codec, of any writer; written with ZSTD',
  csv: 'a header row, then one object a line',
  tsv: 'the same, with tabs',
  ndjson: 'one object a line: flat, or {oid, candid, features: {…}}',
  arrow: 'Arrow IPC, file or stream',
  fits: 'a binary table (or one in ASCII), the first or ?hdu=N; no nested layout',
  votable: 'TABLEDATA, BINARY or BINARY2, the first table or ?table=NAME; written as BINARY2; no nested layout',
  avro: "object container, as the pipeline's own messages; read only",
}

const formats: readonly HelpSection[] = [
  {
    heading: 'FORMATS',
    pairs: inputFormats.map((format) => [format, `${suffixesNamed(format).join(' ')}\n${aboutFormat[format]}`]),
  },
  {
    heading: 'WHERE THE NAME DOES NOT SAY IT',
    text: `--from-format names the format of inputs (stdin is recognised by its first bytes). --to-format names that of stdout and of the files in a folder: ${outputFormats.join(', ')}.`,
  },
  {
    heading: 'LAYOUTS OF RESULTS (--layout)',
    pairs: [
      [
        'wide',
        'one row per object: oid, candid, class, probability, classifier_version, one column a class, then the levels: top/…, stochastic/…',
      ],
      [
        'long',
        'the rows of the Probability table: oid, classifier_name, classifier_version, class_name, probability, ranking',
      ],
      ['nested', 'one structure per object: {oid, candid, classifier_version, lc_classification: {…}}'],
    ],
  },
  {
    heading: 'MISSING VALUES',
    text: 'In text: nothing, NaN, nan, NA, null or None. A null feature is classified; a row without a feature that the model needs is rejected, with its reason (--rejects FILE).',
  },
]

const addresses: readonly HelpSection[] = [
  {
    heading: 'ADDRESSES',
    pairs: [
      ['night.parquet', 'a file; see lcclf help formats'],
      [
        'nights/',
        'a folder: every file below it with a known suffix, but none that begins with _ or . ; as an output, one result and one receipt for each input',
      ],
      ["'nights/*.parquet'", 'a glob, in quotes so that lcclf expands it'],
      ['-', 'stdin or stdout'],
      [
        's3://bucket/key',
        "an object, a prefix/ or a 'glob'; credentials by AWS's own chain, another store by AWS_ENDPOINT_URL",
      ],
      ['kafka://host:9092,host2/topic', 'classify reads what is there now, stream reads for ever'],
      ['postgres://user@host:5432/db', 'postgres:// alone means the DB_* variables, or else PG*'],
    ],
  },
  { heading: 'AFTER THE ? OF A KAFKA ADDRESS', text: addressParameters.join(', ') },
  {
    heading: 'AFTER THE ? OF A POSTGRES ADDRESS',
    pairs: [
      ['as an input', parametersFor.input.join(', ')],
      ['as an output', parametersFor.output.join(', ')],
      ['of results', parametersFor.results.join(', ')],
    ],
  },
  {
    heading: 'PASSWORDS',
    text: 'Need never be typed: Postgres takes DB_PASSWORD, PGPASSWORD or ~/.pgpass, Kafka KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD. None is ever printed.',
  },
]

const codes: readonly HelpSection[] = [
  {
    heading: 'EXIT CODES',
    pairs: Object.values(exitCodes).map(({ exitCode, meaning }) => [String(exitCode), meaning]),
  },
  { heading: 'IN PROGRAMS', text: 'With --json an error is one object on stdout: {error: {code, message, hint}}.' },
]

export const pages = { formats, addresses, 'exit-codes': codes } as const

function suffixesNamed(format: InputFormat): readonly string[] {
  return format === 'avro' ? ['.avro'] : suffixesOf[format]
}
