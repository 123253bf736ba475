// The numbers that the tables have for a model: by name, because every database may have others.
import type { Level, Taxonomy } from '../../../pipeline/batch.ts'
import { ModelError } from '../../../errors.ts'
import { int32Array, literal, textArray } from '../client/binary.ts'
import type { Connection } from '../client/connection.ts'
import { serverName } from '../settings.ts'
import { differencesOf } from '../tables/open-tables.ts'
import { surveyVersion } from '../../survey-ids.ts'
import { knownClassifierIds } from './tables.ts'

/** A model as the tables know it: by the names of its levels, its bare version (`2.1.0`) and the telescope. */
export interface NamedModel {
  readonly taxonomy: Taxonomy
  readonly version: string
  readonly tid: number
}

/** One of the rows that every object has. */
export interface Place {
  readonly classifierId: number
  readonly classId: number
  /** where its probability is in a classified batch */
  readonly level: number
  readonly index: number
}

/** What the tables have of one level: undefined where they have nothing. */
interface StoredLevel {
  readonly level: Level
  readonly classifierId: number | undefined
  readonly classIds: ReadonlyMap<string, number> | undefined
}

/**
 * Finds the numbers of a model.
 *
 * @returns its places in the order of the primary key, and its version as the column `classifier_version` has it
 * @throws ModelError with the SQL that would add it, if the tables do not know it, or know other classes under its name
 */
export async function resolveModel(connection: Connection, model: NamedModel) {
  const classifierVersion = surveyVersion(model.version)
  const stored = await storedLevels(connection, model, bothTables)
  const unknown = stored.filter(({ classIds }) => !classIds)
  if (unknown.length > 0) {
    const isCalibrated = unknown.some(({ level }) => level.isCalibrated)
    const names = unknown.map(({ level }) => level.classifierName).join(', ')
    const { statements } = await registration(connection, model, bothTables)
    throw new ModelError(
      `${serverName(connection.settings)} does not know the model: classifier and taxonomy have nothing of ${names} ${model.version} with tid ${model.tid}`,
      {
        hint: `lcclf db init --tables multisurvey --register${isCalibrated ? ' --calibrated' : ''} adds it, or:\n${statements.map(ended).join('\n')}`,
      },
    )
  }
  const places = stored.flatMap(({ level, classifierId, classIds }, i) =>
    level.classes.map((name, index): Place => {
      return { classifierId: classifierId!, classId: classIds!.get(name)!, level: i, index }
    }),
  )
  const tooLarge = places.find(({ classifierId, classId }) => Math.max(classifierId, classId) > 32_767)
  if (tooLarge) {
    const { classifierId, classId } = tooLarge
    throw new ModelError(`classifier_id ${classifierId}, class_id ${classId}: probability has room for smallint only`)
  }
  places.sort((a, b) => a.classifierId - b.classifierId || a.classId - b.classId)
  return { classifierVersion, places }
}

const bothTables = { hasClassifier: true, hasTaxonomy: true }

const ended = (statement: string): string => `${statement};`

/** Which tables there are; what is yet to be created holds nothing. */
interface FoundTables {
  readonly hasClassifier: boolean
  readonly hasTaxonomy: boolean
}

/** @throws ModelError if a level is stored twice, or with other classes */
async function storedLevels(
  connection: Connection,
  model: NamedModel,
  { hasClassifier, hasTaxonomy }: FoundTables,
): Promise<StoredLevel[]> {
  const { levels } = model.taxonomy
  if (!hasClassifier) return levels.map((level) => ({ level, classifierId: undefined, classIds: undefined }))
  const classifiers = await connection.rows<[name: string, id: number]>(
    `SELECT classifier_name::text, classifier_id::int4 FROM classifier
      WHERE classifier_name = ANY($1::text[]) AND classifier_version = $2 AND tid = $3 ORDER BY 2`,
    [textArray(levels.map(({ classifierName }) => classifierName)), model.version, model.tid],
  )
  const classes = hasTaxonomy ? await storedClasses(connection, classifiers) : []
  return levels.map((level) => {
    const ids = classifiers.filter(([name]) => name === level.classifierName).map(([, id]) => id)
    const what = `${serverName(connection.settings)}: ${level.classifierName} ${model.version}`
    if (ids.length > 1) throw new ModelError(`${what} has several rows in classifier: ids ${ids.join(', ')}`)
    const own = classes.filter(([classifier]) => classifier === ids[0])
    if (own.length > 0) refuseOtherClasses(level, own, what)
    return {
      level,
      classifierId: ids[0],
      classIds: own.length === 0 ? undefined : new Map(own.map(([, name, id]) => [name, id])),
    }
  })
}

function storedClasses(connection: Connection, classifiers: readonly (readonly [name: string, id: number])[]) {
  return connection.rows<[classifier: number, name: string, id: number]>(
    'SELECT classifier_id::int4, class_name::text, class_id::int4 FROM taxonomy WHERE classifier_id = ANY($1::int4[])',
    [int32Array(classifiers.map(([, id]) => id))],
  )
}

function refuseOtherClasses({ classes }: Level, stored: readonly (readonly [number, string, number])[], what: string) {
  const names = stored.map(([, name]) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new ModelError(`${what} has the class ${twice} twice in taxonomy`)
  const differences = differencesOf(classes, names)
  if (differences === '') return
  throw new ModelError(`${what} has other classes in taxonomy (classifier_id ${stored[0]![0]}): ${differences}`, {
    hint: 'Another model is registered under this name and version: import yours under another --version.',
  })
}

/**
 * What is missing for a model to be written, as SQL: rows of `classifier`, with the survey's own ids where they are free, and of
 * `taxonomy`, numbered in the model's order; and the name and the id of each level that is added.
 *
 * @throws ModelError if it is stored with other classes, or its version has no number
 */
export async function registration(connection: Connection, model: NamedModel, tables: FoundTables) {
  const { version, tid } = model
  surveyVersion(version)
  const stored = await storedLevels(connection, model, tables)
  const taken = tables.hasClassifier
    ? await connection.rows<[id: number]>('SELECT classifier_id::int4 FROM classifier')
    : []
  const ids = new Set(taken.map(([id]) => id))
  const statements: string[] = []
  const added: { readonly name: string; readonly id: number }[] = []
  for (const { level, classifierId, classIds } of stored) {
    if (classIds) continue
    const id = classifierId ?? freeId(level.classifierName, tid, ids)
    ids.add(id)
    added.push({ name: level.classifierName, id })
    if (classifierId === undefined) {
      const values = [id, textLiteral(level.classifierName), textLiteral(version), tid].join(', ')
      statements.push(
        `INSERT INTO classifier (classifier_id, classifier_name, classifier_version, tid) VALUES (${values})`,
      )
    }
    const rows = level.classes.map((name, i) => `(${i}, ${textLiteral(name)}, ${i}, ${id})`)
    statements.push(`INSERT INTO taxonomy (class_id, class_name, "order", classifier_id) VALUES ${rows.join(', ')}`)
  }
  return { statements, added }
}

/** The survey's own id of a classifier, or the next that neither it nor anybody else has. */
function freeId(name: string, tid: number, taken: ReadonlySet<number>): number {
  const known = tid === 0 ? knownClassifierIds.get(name) : undefined
  if (known !== undefined && !taken.has(known)) return known
  return Math.max(...taken, ...knownClassifierIds.values()) + 1
}

function textLiteral(text: string): string {
  return literal(text).trim()
}
