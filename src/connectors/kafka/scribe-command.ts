// One classified object → commands to the program that writes the survey's tables: JSON in an Avro record, as it reads them.
import { ModelError, UsageError } from '../../errors.ts'
import { ByteWriter } from '../../formats/byte-writer.ts'
import type { ClassifiedBatch, Level, Taxonomy } from '../../pipeline/batch.ts'
import { withCalibratedLevel, withCalibratedRows } from '../../pipeline/calibrated-level.ts'
import { rankedValues } from '../../pipeline/ranking.ts'
import type { SinkContext } from '../../pipeline/sink.ts'
import { surveyOid, surveyVersion } from '../survey-ids.ts'
import { createFraming, type FramedValue } from './framing.ts'
import { levelPlaces } from './output-message.ts'
import type { SurveyNumbers } from './output-form.ts'
import type { KafkaSinkSpec } from './spec.ts'

/** The JSON texts of an object's commands, or why it can have none. */
type Commands = (batch: ClassifiedBatch, row: number) => readonly string[] | { readonly refusal: string }

export const scribeSchemaText =
  '{"type": "record", "name": "scribe_message", "fields": [{"name": "payload", "type": "string"}]}'

/** What the survey's tables call its classifiers: the ids that they have for the model of 2025. */
const knownIds: ReadonlyMap<string, number> = new Map([
  ['lc_classifier_BHRF_forced_phot', 5],
  ['lc_classifier_BHRF_forced_phot_top', 6],
  ['lc_classifier_BHRF_forced_phot_transient', 7],
  ['lc_classifier_BHRF_forced_phot_stochastic', 8],
  ['lc_classifier_BHRF_forced_phot_periodic', 9],
])

/**
 * Makes the values of an object's messages, in the order in which they are sent, or says why it can have none.
 *
 * @throws UsageError for a context without `modelVersion`; ModelError for a version or a classifier that has no number, and
 *   for a class whose name the command needs for something else
 */
export function createScribeCommands(spec: KafkaSinkSpec, { taxonomy: own, modelVersion }: SinkContext) {
  if (modelVersion === undefined) {
    const hint = 'Open the sink with modelVersion, e.g. 2.1.0: a classifier has it as identity.version.'
    throw new UsageError(`${spec.address}: a command has the model's version, and none is known`, { hint })
  }
  const taxonomy = spec.calibrated ? withCalibratedLevel(own) : own
  const commandsOf =
    spec.as === 'scribe-multisurvey'
      ? rowCommands(spec, taxonomy, modelVersion)
      : levelCommands(taxonomy, modelVersion, spec.as === 'scribe-top-bottom')
  const frame = createFraming(scribeSchemaText, spec.framing)
  const datum = new ByteWriter(2048)

  return (answers: ClassifiedBatch, row: number): readonly FramedValue[] | { readonly refusal: string } => {
    const batch = spec.calibrated ? withCalibratedRows(answers, taxonomy) : answers
    if (!hasNumbers(batch, row)) return { refusal: 'a probability is not a number, and a command cannot hold it' }
    const commands = commandsOf(batch, row)
    if ('refusal' in commands) return commands
    return commands.map((text) => {
      datum.clear()
      datum.varintText(text)
      return frame(datum.written)
    })
  }
}

function hasNumbers({ probabilities, taxonomy }: ClassifiedBatch, row: number): boolean {
  return taxonomy.levels.every(({ classes: { length } }, level) =>
    probabilities[level]!.subarray(row * length, (row + 1) * length).every(Number.isFinite),
  )
}

/**
 * One command a level: the product alone, or the product, the branches and then the top (seed: `TopBottomScribeParser`); last
 * the calibrated product, where it was asked for.
 */
function levelCommands(taxonomy: Taxonomy, version: string, hasAllLevels: boolean): Commands {
  const { top, branches } = levelPlaces(taxonomy)
  const own = hasAllLevels ? [0, ...branches, ...(top === undefined ? [] : [top])] : [0]
  const places = [...own, ...taxonomy.levels.flatMap(({ isCalibrated }, place) => (isCalibrated ? [place] : []))]
  const options = '"options": {"upsert": true, "set_on_insert": false}'
  const levels = places.map((place) => {
    const { classifierName, classes } = taxonomy.levels[place]!
    refuseReserved(classes)
    const names = `"classifier_name": ${JSON.stringify(classifierName)}, "classifier_version": ${JSON.stringify(version)}`
    return { place, names, keys: classes.map((name) => `${JSON.stringify(name)}: `) }
  })
  return ({ oids, probabilities }, row) => {
    const object = `"collection": "object", "type": "update_probabilities", "criteria": {"_id": ${JSON.stringify(oids[row])}}`
    return levels.map(({ place, names, keys }) => {
      const start = row * keys.length
      const values = keys.map((key, i) => `, ${key}${numberText(probabilities[place]![start + i]!)}`).join('')
      return `{${object}, "data": {${names}${values}}, ${options}}`
    })
  }
}

function refuseReserved(classes: readonly string[]): void {
  const reserved = classes.find((name) => name === 'classifier_name' || name === 'classifier_version')
  if (reserved === undefined) return
  throw new ModelError(`a command to the scribe cannot hold the class ${reserved}: it has a field of that name`)
}

/** One command a row of today's tables, level by level and class by class; ids and ranks as the tables have them. */
function rowCommands({ address, numbers = {} }: KafkaSinkSpec, taxonomy: Taxonomy, modelVersion: string): Commands {
  const version = surveyVersion(modelVersion)
  const { sid = 0, survey = 'ztf' } = numbers
  const ids = classifierIds(taxonomy.levels, numbers, address)
  const places = taxonomy.levels.flatMap(({ classes }, level) => classes.map((_, index) => ({ level, index })))
  const fixed = places.map(
    ({ level, index }) =>
      `, "sid": ${sid}, "classifier_id": ${ids[level]!}, "classifier_version": ${version}, "class_id": ${index}`,
  )
  const start = `{"step": "update-probability", "survey": ${JSON.stringify(survey)}, "payload": {"oid": `
  return (batch, row) => {
    const oid = surveyOid(batch.oids[row]!)
    if (oid === undefined) return { refusal: 'oid is neither a ZTF name nor an integer of 64 bits' }
    const mjd = batch.mjds?.[row]
    if (mjd === undefined || !Number.isFinite(mjd)) {
      return { refusal: 'lastmjd is missing: the input does not say when the object was last seen' }
    }
    const { probabilities, rankings } = rankedValues(batch, [row], places)
    const end = `, "lastmjd": ${numberText(mjd)}}}`
    return fixed.map((ids, i) => {
      const values = `, "probability": ${numberText(probabilities[i]!)}, "ranking": ${rankings[i]!}`
      return `${start}${oid}${ids}${values}${end}`
    })
  }
}

function classifierIds(levels: readonly Level[], { classifierIds }: SurveyNumbers, address: string): readonly number[] {
  const names = levels.map(({ classifierName }) => classifierName)
  const ids = classifierIds ?? knownIds
  const example = names.map((name, i) => `${name}:${i + 1}`).join(',')
  const hint = `Name the ids that the tables have, as &classifier_ids=${example}`
  const unknown = names.find((name) => !ids.has(name))
  if (unknown !== undefined) throw new ModelError(`${address}: classifier ${unknown} has no id`, { hint })
  const other = classifierIds && [...classifierIds.keys()].find((name) => !names.includes(name))
  if (other !== undefined) throw new ModelError(`${address}: the model has no classifier ${other}`, { hint })
  return names.map((name) => ids.get(name)!)
}

/** A finite number as Python's `json.dumps` writes it: the digits that lead back to the same float64, always as a float. */
function numberText(value: number): string {
  const size = Math.abs(value)
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  if (Object.is(value, -0)) return '-0.0'
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
