// golden_input.csv and golden.json: a model's inputs and scikit-learn's own answers, as its trainer wrote them down.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { messageOf, ModelError, systemCode } from '../../errors.ts'
import { readNumberText } from '../../formats/number-text.ts'
import type { Golden, GoldenLevel } from './golden.ts'
import { parseJson } from './manifest.ts'

/**
 * Reads a folder with `golden_input.csv` (oid, perhaps candid, features in any order; an empty field is null) and
 * `golden.json` (`classes` and `probabilities` by classifier_name; `sklearn`, `oid`, `predicted` where they are known).
 *
 * @returns the answers, where they come from, and the class of each row as the trainer saw it, where golden.json says so
 * @throws ModelError where a feature, a class or an answer is missing
 */
export async function readGoldenFiles(
  directory: string,
  { features, taxonomy }: { features: readonly string[]; taxonomy: Taxonomy },
): Promise<{ golden: Golden; source: string; predicted: readonly string[] | null }> {
  const csv = join(directory, 'golden_input.csv')
  const { oids, inputs } = await readInputs(csv, features)
  const path = join(directory, 'golden.json')
  const json = parseJson(await readText(path), path)
  if (!isRecord(json)) throw new ModelError(`${path}: not a JSON object`)
  const expected = taxonomy.levels.map((level) => readLevel(json, level, { path, rowCount: oids.length }))
  const listed = json['oid']
  if (
    Array.isArray(listed) &&
    (listed.length !== oids.length || listed.some((oid, row) => String(oid) !== oids[row]))
  ) {
    throw new ModelError(`${path}: its oids are not those of ${csv}`)
  }
  const { predicted, sklearn } = json
  return {
    golden: { rowCount: oids.length, oids, inputs, expected },
    source: typeof sklearn === 'string' ? `scikit-learn ${sklearn}` : 'scikit-learn, version not given',
    predicted: Array.isArray(predicted) ? predicted.map(String) : null,
  }
}

async function readInputs(csv: string, features: readonly string[]): Promise<{ oids: string[]; inputs: Float64Array }> {
  const text = await readText(csv)
  const { parse } = await import('csv-parse/sync')
  let rows: string[][]
  try {
    rows = parse(text, { bom: true })
  } catch (cause) {
    throw new ModelError(`${csv}: cannot be read (${messageOf(cause)})`, { cause })
  }
  const header = rows[0] ?? []
  if (new Set(header).size !== header.length) throw new ModelError(`${csv}: a column is there twice`)
  const missing = features.filter((name) => !header.includes(name))
  if (missing.length > 0) {
    throw new ModelError(`${csv}: lacks ${missing.length} of the model's features: ${missing.slice(0, 5).join(', ')}`)
  }
  const columns = features.map((name) => header.indexOf(name))
  const oidColumn = header.indexOf('oid')
  const inputs = new Float64Array((rows.length - 1) * features.length)
  const oids = rows.slice(1).map((fields, row) => {
    columns.forEach((column, place) => {
      const value = readNumberText(fields[column]!)
      if (value === undefined) throw new ModelError(`${csv} row ${row + 1}: ${features[place]} is not a number`)
      inputs[row * features.length + place] = value
    })
    return oidColumn === -1 ? `row ${row}` : fields[oidColumn]!
  })
  if (oids.length === 0) throw new ModelError(`${csv}: has no rows`)
  return { oids, inputs }
}

function readLevel(
  json: Record<string, unknown>,
  { classifierName, classes }: { classifierName: string; classes: readonly string[] },
  { path, rowCount }: { path: string; rowCount: number },
): GoldenLevel {
  const memberOf = (value: unknown) =>
    isRecord(value) && Object.hasOwn(value, classifierName) ? value[classifierName] : undefined
  const names = memberOf(json['classes'])
  const rows = memberOf(json['probabilities'])
  if (!Array.isArray(names) || !Array.isArray(rows))
    throw new ModelError(`${path}: lacks the answers of ${classifierName}`)
  // numbers as labels come as numbers
  const given = names.map(String)
  const columns = classes.map((name) => given.indexOf(name))
  if (columns.includes(-1) || given.length !== classes.length) {
    throw new ModelError(
      `${path}: the classes of ${classifierName} are ${given.join(', ')}, the model has ${classes.join(', ')}`,
    )
  }
  if (rows.length !== rowCount)
    throw new ModelError(`${path}: ${classifierName} has ${rows.length} rows, the inputs ${rowCount}`)
  const probabilities = new Float64Array(rowCount * classes.length)
  rows.forEach((row: unknown, index) => {
    columns.forEach((column, place) => {
      const value: unknown = Array.isArray(row) && row.length === given.length ? row[column] : undefined
      if (typeof value !== 'number') throw new ModelError(`${path}: row ${index} of ${classifierName} is damaged`)
      probabilities[index * classes.length + place] = value
    })
  })
  return { classifierName, classes, probabilities }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ModelError(`${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'A golden folder holds golden_input.csv and golden.json.',
    })
  }
}
