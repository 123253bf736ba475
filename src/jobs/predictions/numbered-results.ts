// Results in the survey's tables of today: numbers for objects, classifiers, classes and versions.
import { DataError, ModelError, UsageError } from '../../errors.ts'
import { surveyVersion, ztfName } from '../../connectors/survey-ids.ts'
import type { Connection } from '../../connectors/postgres/client/connection.ts'
import { schemaOf } from '../../connectors/postgres/multisurvey/lookups.ts'
import { objectPartitions } from '../../connectors/postgres/object-partitions.ts'
import type { PostgresResultsSpec } from '../../connectors/postgres/settings.ts'
import { inspectTables, type TableFacts } from '../../connectors/postgres/tables/inspect-tables.ts'
import { calibratedOfName } from '../../pipeline/calibrated-level.ts'
import { shownText } from '../../formats/shown-text.ts'
import { type FoundLevel, levelsOf } from './predictions.ts'

export const numberedColumns = ['oid', 'sid', 'classifier_id', 'classifier_version', 'class_id', 'probability']

/** Results as they are stored, one model's. */
export interface StoredResults {
  readonly version: string
  readonly levels: readonly FoundLevel[]
  /** whether the classes of each level are in their model's order */
  readonly isOrdered: boolean
  /** binary COPYs of oid, place of the class among all columns, probability; an object's rows lie together in one of them */
  readonly statements: readonly string[]
  readonly oidOf: (bytes: Buffer) => string
}

/** What a row of the table may be. */
interface StoredClass {
  readonly classifierId: number
  readonly classId: number
  readonly classifierName: string
  readonly className: string
  /** of the classifier, as its table has it */
  readonly classifierVersion: string
}

interface StoredModel {
  /** the version's number, and what it is called */
  readonly number: number
  readonly version: string
  /** keys are places among the classes */
  readonly levels: readonly FoundLevel[]
}

export function isNumbered({ columns }: TableFacts): boolean {
  return numberedColumns.every((name) => columns.some((column) => column.name === name))
}

/**
 * Looks over the whole table once. Its classes come in the order that `taxonomy` gives them, which is the model's.
 *
 * @throws DataError for numbers that nobody explains, and for a table without rows; UsageError for several models of which
 *   none is chosen
 */
export async function findNumbered(
  connection: Connection,
  facts: TableFacts,
  spec: PostgresResultsSpec,
  wantedVersion: string | undefined,
): Promise<StoredResults> {
  const { survey, classifier } = spec.results
  const sid = survey?.sid ?? 0
  const known = await knownClasses(connection, facts.name)
  const found = await connection.rows<readonly [number, number, number]>(
    `SELECT classifier_version::int4, classifier_id::int4, class_id::int4 FROM ${facts.name} WHERE sid = ${sid} GROUP BY 1, 2, 3`,
  )
  if (found.length === 0) throw new DataError(`${spec.address} has no rows of survey ${sid}`)
  refuseUnnamed(found, known, spec.address)
  const model = chosen(modelsOf(found, known), { address: spec.address, wantedVersion, classifier })
  const codes = model.levels.flatMap(({ keys }) => keys).map((place) => known[place]!)
  const parts = await objectPartitions(connection, facts)
  return {
    version: model.version,
    levels: model.levels,
    isOrdered: true,
    statements: parts.map((part) => copyStatement(part, { sid, version: model.number, codes })),
    oidOf(bytes) {
      const oid = bytes.readBigInt64BE(0)
      return (survey?.names === 'integers' ? undefined : ztfName(oid)) ?? String(oid)
    },
  }
}

/** Sorted by classifier and the order of its classes. */
async function knownClasses(connection: Connection, table: string): Promise<readonly StoredClass[]> {
  const schema = await schemaOf(connection, table)
  const names = [`${schema}.classifier`, `${schema}.taxonomy`]
  const [classifier, taxonomy] = await inspectTables(connection, names)
  if (!classifier || !taxonomy) {
    throw new DataError(
      `table ${table} has numbers, and there is no table ${classifier ? names[1] : names[0]} with names`,
    )
  }
  const rows = await connection.rows<readonly [number, number, string, string, string]>(
    `SELECT c.classifier_id::int4, t.class_id::int4, c.classifier_name::text, t.class_name::text, c.classifier_version::text
       FROM ${classifier.name} AS c JOIN ${taxonomy.name} AS t ON t.classifier_id = c.classifier_id
      ORDER BY c.classifier_id, t."order", t.class_id`,
  )
  return rows.map(([classifierId, classId, classifierName, className, classifierVersion]) => ({
    ...{ classifierId, classId, classifierName, className, classifierVersion },
  }))
}

type FoundNumbers = readonly (readonly [version: number, classifierId: number, classId: number])[]

function refuseUnnamed(found: FoundNumbers, known: readonly StoredClass[], address: string): void {
  const stranger = found.find(
    ([, classifier, name]) => !known.some((one) => one.classifierId === classifier && one.classId === name),
  )
  if (!stranger) return
  throw new DataError(`${address}: no table names class ${stranger[2]} of classifier ${stranger[1]}`, {
    hint: 'The tables classifier and taxonomy must have a row for each.',
  })
}

/** Each version's models: a classifier and the levels that are named for it. */
function modelsOf(found: FoundNumbers, known: readonly StoredClass[]): StoredModel[] {
  return [...new Set(found.map(([version]) => version))]
    .sort((a, b) => a - b)
    .flatMap((number) => {
      const stored = new Set(found.flatMap(([version, ...ids]) => (version === number ? [ids.join()] : [])))
      let rest = known.flatMap(({ classifierId, classId, classifierName, className }, place) =>
        stored.has(`${classifierId},${classId}`) ? [[classifierName, className, place] as const] : [],
      )
      const models: StoredModel[] = []
      while (rest.length > 0) {
        const levels = levelsOf(rest)
        const own = new Set(levels.map(({ classifierName }) => classifierName))
        rest = rest.filter(([name]) => !own.has(name))
        const version = known[levels[0]!.keys[0]!]!.classifierVersion
        models.push({ number, version: numberOf(version) === number ? version : String(number), levels })
      }
      return models
    })
}

/** Undefined for a version that has no number. */
function numberOf(version: string): number | undefined {
  try {
    return surveyVersion(version)
  } catch (error) {
    if (error instanceof ModelError) return undefined
    throw error
  }
}

function chosen(
  models: readonly StoredModel[],
  wanted: { address: string; wantedVersion: string | undefined; classifier: string | undefined },
): StoredModel {
  const { address, wantedVersion, classifier } = wanted
  const nameOf = ({ levels }: StoredModel): string => levels[0]!.classifierName
  /** beside the model's own numbers it is read only by its name */
  const isCalibrated = (model: StoredModel): boolean => {
    const of = calibratedOfName(nameOf(model))
    return models.some((other) => nameOf(other) === of && other.number === model.number)
  }
  const fitting = models.filter(
    (model) =>
      (wantedVersion === undefined || [model.version, String(model.number)].includes(wantedVersion)) &&
      (classifier === undefined ? !isCalibrated(model) : nameOf(model) === classifier),
  )
  if (fitting.length === 1) return fitting[0]!
  const list = (some: readonly StoredModel[]): string =>
    some.map((model) => shownText(`${nameOf(model)} ${model.version}`)).join(', ')
  if (fitting.length > 1) {
    throw new UsageError(`${address} holds the results of several models: ${list(fitting)}`, {
      hint: 'Choose one with ?classifier_version= or ?classifier=.',
    })
  }
  const what = [wantedVersion === undefined ? '' : `classifier_version ${shownText(wantedVersion)}`]
    .concat(classifier === undefined ? [] : `classifier ${shownText(classifier)}`)
    .filter((text) => text !== '')
  throw new UsageError(`${address} has no ${what.join(' of ')}`, { hint: `It has ${list(models)}.` })
}

function copyStatement(
  part: string,
  { sid, version, codes }: { sid: number; version: number; codes: readonly StoredClass[] },
): string {
  const values = codes.map(({ classifierId, classId }, code) => `(${classifierId}, ${classId}, ${code}::int4)`)
  return `COPY (
    SELECT p.oid::int8, k.code, p.probability::float8
      FROM ${part} AS p JOIN (VALUES ${values.join(', ')}) AS k(classifier, class, code)
        ON p.classifier_id = k.classifier AND p.class_id = k.class
     WHERE p.sid = ${sid} AND p.classifier_version = ${version} ORDER BY 1
  ) TO STDOUT (FORMAT binary)`
}
