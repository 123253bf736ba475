// `db init --tables multisurvey`: the survey's tables since 2025, its surveys, and a model in them.
import type { Taxonomy } from '../../../pipeline/batch.ts'
import { literal } from '../client/binary.ts'
import type { Connection } from '../client/connection.ts'
import { recogniseTables } from '../tables/generation.ts'
import { createMissing, type InitOptions } from '../tables/init-tables.ts'
import { inspectTables } from '../tables/inspect-tables.ts'
import { registration } from './model-ids.ts'
import { telescopeOf } from './open-tables.ts'
import { classifier, knownSurveys, sidLut, surveyTables, taxonomy } from './tables.ts'

interface SurveyOptions extends InitOptions {
  /** the survey that the model is for */
  readonly sid: number
  /** what is added to `classifier` and `taxonomy` if they do not have it */
  readonly model?: { readonly taxonomy: Taxonomy; readonly version: string } | undefined
}

/**
 * Creates the tables that do not exist yet, with their partitions, and registers a model, in one transaction. What exists is
 * not changed.
 *
 * @throws ServiceError if the tables of 2021 are there; ModelError if another model is registered under the same name
 */
export function initSurveyTables(connection: Connection, { sid, model, ...options }: SurveyOptions) {
  return createMissing(connection, surveyTables, options, async (missing) => {
    await recogniseTables(connection, 'multisurvey')
    const seeds = missing.includes(sidLut) ? [surveysStatement()] : []
    if (!model) return { statements: seeds, notes: [] }
    const [lut] = await inspectTables(connection, [sidLut.name])
    const tid = await telescopeOf(connection, sid, lut)
    const found = { hasClassifier: !missing.includes(classifier), hasTaxonomy: !missing.includes(taxonomy) }
    const { statements, added } = await registration(connection, { ...model, tid }, found)
    const words = options.dryRun ? 'would be registered' : 'registered'
    const notes = added.map(({ name, id }) => `${words}: ${name} ${model.version} as classifier_id ${id}`)
    const known = `${model.taxonomy.levels[0]!.classifierName} ${model.version} is registered already`
    return { statements: [...seeds, ...statements], notes: added.length > 0 ? notes : [known] }
  })
}

function surveysStatement(): string {
  const rows = knownSurveys.map(({ sid, tid, name }) => `(${sid}, ${tid}, ${literal(name)})`)
  return `INSERT INTO sid_lut (sid, tid, survey_name) VALUES ${rows.join(', ')}`
}
