// Models imported and run by the built command, and their answers compared with those of the libraries that made them.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { hostedLcclf } from './hosted-lcclf.ts'

/** One file of a model, rows, and what its library answers to them. */
export interface KnownModel {
  readonly name: string
  readonly file: string
  /** given where the file has no names */
  readonly features: readonly string[]
  /** CSV with a column oid */
  readonly input: string
  /** column of the wide layout → a value a row */
  readonly expected: ReadonlyMap<string, readonly number[]>
}

/** How a model's columns differ from its library's. */
export interface Comparison {
  readonly name: string
  readonly rows: number
  readonly rejected: number
  /** values that differ in any bit, and by how many places of float64 (of float32, where the library answers in it) at most */
  readonly probabilities: Differences
  readonly margins: Differences
}

interface Differences {
  readonly values: number
  readonly differing: number
  readonly farthest: number
}

/** Imports, verifies, classifies to Parquet, and compares. @throws Error with what the command said, where it fails */
export async function compareByCommand(model: KnownModel, work: string): Promise<Comparison> {
  const { name, expected } = model
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  const at = (path: string) => join(work, path)
  const run = async (...args: string[]) => {
    const outcome = await hostedLcclf(args, { cwd: work, env: { LCCLF_HOME: at('home') } })
    if (outcome.code !== 0) throw new Error(`${name}: lcclf ${args.join(' ')}: ${outcome.stderr}`)
    return outcome
  }
  writeFileSync(at('input.csv'), model.input)
  await importAsUser(run, model, at)
  await run('model', 'verify', 'm')
  const margins = [...expected.keys()].some(isMargin) ? ['--margins'] : []
  await run('classify', 'input.csv', '--model', 'm', '--to', 'out.parquet', '--receipt', 'receipt.json', ...margins)
  const receipt = JSON.parse(readFileSync(at('receipt.json'), 'utf8')) as {
    inputs: { read: number; rejected: number }[]
  }
  const columns = await readColumns(at('out.parquet'))
  const compared = [...expected].map(([column, values]) => ({ column, ...differences(values, columns.get(column)) }))
  const sumOf = (of: typeof compared) => ({
    values: of.reduce((sum, { values }) => sum + values, 0),
    differing: of.reduce((sum, { differing }) => sum + differing, 0),
    farthest: Math.max(0, ...of.map(({ farthest }) => farthest)),
  })
  return {
    name,
    rows: receipt.inputs[0]!.read,
    rejected: receipt.inputs[0]!.rejected,
    probabilities: sumOf(compared.filter(({ column }) => !isMargin(column))),
    margins: sumOf(compared.filter(({ column }) => isMargin(column))),
  }
}

type Run = (...args: string[]) => Promise<{ readonly stdout: string }>

/** With names of features, and of numbered classes, where the file has none and its user knows them. */
async function importAsUser(run: Run, { file, features, expected }: KnownModel, at: (path: string) => string) {
  const imports = ['model', 'import', file, '--name', 'm', '--version', '1', '--overwrite']
  let names: string[] = []
  await run(...imports).catch((error: Error) => {
    if (!error.message.includes('unknown feature names')) throw error
    writeFileSync(at('features.json'), JSON.stringify(features))
    names = ['--features', 'features.json']
    return run(...imports, ...names)
  })
  const shown = JSON.parse((await run('model', 'show', 'm', '--json')).stdout) as ShownModel
  const { taxonomy, levels } = shown.manifest
  const classes = [...expected.keys()].filter((column) => !isMargin(column))
  if (taxonomy !== null || levels[0]!.classes.every((name) => classes.includes(name))) return
  writeFileSync(at('classes.json'), JSON.stringify(classes))
  await run(...imports, ...names, '--taxonomy', 'classes.json')
}

interface ShownModel {
  readonly manifest: { readonly taxonomy: unknown; readonly levels: readonly { readonly classes: readonly string[] }[] }
}

function isMargin(column: string): boolean {
  return column.startsWith('margin/')
}

async function readColumns(path: string): Promise<ReadonlyMap<string, unknown[]>> {
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  try {
    const reader = await connection.runAndReadAll('select * from read_parquet($path)', { path })
    const columns = reader.getColumns()
    return new Map(reader.columnNames().map((name, i) => [name, columns[i]!]))
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

function differences(expected: readonly number[], found: unknown[] | undefined): Differences {
  const distances = expected.map((value, row) => distance(value, found?.[row]))
  return {
    values: expected.length,
    differing: distances.filter((places) => places !== 0).length,
    farthest: Math.max(0, ...distances),
  }
}

/** Places between two numbers of one sign; Infinity where one is none. */
function distance(a: number, b: unknown): number {
  if (Object.is(a, b)) return 0
  if (typeof b !== 'number' || !Number.isFinite(a) || !Number.isFinite(b)) return Infinity
  const isSingle = Math.fround(a) === a && Math.fround(b) === b
  const bits = (value: number) =>
    isSingle
      ? BigInt(new Int32Array(Float32Array.of(value).buffer)[0]!)
      : new BigInt64Array(Float64Array.of(value).buffer)[0]!
  const places = bits(a) - bits(b)
  return Number(places < 0n ? -places : places)
}

/** A truth.json of the reference data: tables of classes and values. */
export interface Truth {
  readonly features: readonly string[]
  readonly [table: string]: unknown
}

/** What the wide layout should have: the product or the only level, the other levels, the margins. */
export function expectedColumns(truth: Truth): Map<string, readonly number[]> {
  const columns = new Map<string, readonly number[]>()
  for (const [table, value] of Object.entries(truth)) {
    const prefix =
      table === 'product' || table === 'probabilities'
        ? ''
        : table === 'margins'
          ? 'margin/'
          : `${table.toLowerCase()}/`
    for (const { classes, values } of tableOf(value)) {
      classes.forEach((name, i) =>
        columns.set(
          `${prefix}${name}`,
          values.map((row) => row[i]!),
        ),
      )
    }
  }
  return columns
}

function tableOf(
  value: unknown,
): { readonly classes: readonly string[]; readonly values: readonly (readonly number[])[] }[] {
  if (typeof value !== 'object' || value === null) return []
  // margins of two classes, without their name
  if (Array.isArray(value) && typeof value[0] === 'number')
    return [{ classes: ['1'], values: (value as number[]).map((one) => [one]) }]
  return 'classes' in value && 'values' in value ? [value as ReturnType<typeof tableOf>[0]] : []
}

/** The models of a folder of the reference data: input.csv, truth.json, and one model in each of the other files. */
export function modelsIn(folder: string): KnownModel[] {
  const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')) as Truth
  const input = readFileSync(join(folder, 'input.csv'), 'utf8')
  const isModel = (file: string) => /\.(pkl|sav|obj|joblib|json|ubj|txt|gz|bz2|xz)$/.test(file) && file !== 'truth.json'
  return readdirSync(folder)
    .filter(isModel)
    .sort()
    .map((file) => ({
      name: `${folder.replace(/^.*\//, '')}/${file}`,
      file: join(folder, file),
      features: truth.features,
      input,
      expected: expectedColumns(truth),
    }))
}
