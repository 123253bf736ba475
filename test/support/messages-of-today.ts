// The survey's messages since 2025, what its own step made of them, and a second opinion on what they hold.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { createFraming } from '../../src/connectors/kafka/framing.ts'
import { wholeValue } from './kafka-client.ts'
import { avscType, unpackMessages } from './seed-run.ts'

const folder = new URL('../fixtures/kafka/today/', import.meta.url)

/** The schema of the data that the step reads, beside the file of the type that it names. */
export const bareSchema = fileURLToPath(new URL('../feature_step/output.avsc', folder))

/** A file of test/fixtures/kafka/today as text, unpacked if it ends in .gz. */
export function textOfToday(name: string): string {
  const bytes = readFileSync(new URL(name, folder))
  return (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()
}

/** The 30 bare data that the step reads, or those that it makes of them; sorted by oid. */
export function messagesOfToday(kind: 'input' | 'output'): Buffer[] {
  return unpackMessages(`today/${kind}.bin.gz`)
}

/** The inputs, each in a container. */
export function containedInputs(): Buffer[] {
  const record = JSON.parse(textOfToday('../feature_step/features_record_ztf.avsc')) as unknown
  const schema = textOfToday('../feature_step/output.avsc')
  const whole = schema.replaceAll('"features_record_ztf"', JSON.stringify(record))
  const frame = createFraming(JSON.stringify(JSON.parse(whole)))
  return messagesOfToday('input').map((datum) => wholeValue(frame(datum)))
}

/** An output as a test compares it. */
export interface OutputOfToday {
  readonly oid: string
  readonly features: Readonly<Record<string, number | null>>
  readonly lc_classification: {
    readonly probabilities: Readonly<Record<string, number>>
    readonly class: string
    readonly hierarchical: Readonly<Record<string, unknown>>
  }
}

/** A datum as avsc reads it by this schema; the union of two maps, which it refuses, is read as a record would be. */
export function outputOfToday(datum: Buffer, schemaText: string): OutputOfToday {
  const { oid, features, lc_classification } = typeOf(schemaText).fromBuffer(datum) as ReadOutput
  const values = Object.entries(features).map(([name, value]) => [name, value === null ? null : value.float] as const)
  const branches = Object.entries(lc_classification.hierarchical)
  const hierarchical = Object.fromEntries(branches.map(([name, branch]) => [name, Object.values(branch)[0]!.map]))
  return { oid, features: Object.fromEntries(values), lc_classification: { ...lc_classification, hierarchical } }
}

interface ReadOutput {
  readonly oid: string
  readonly features: Readonly<Record<string, { readonly float: number } | null>>
  readonly lc_classification: Omit<OutputOfToday['lc_classification'], 'hierarchical'> & {
    readonly hierarchical: Readonly<Record<string, Readonly<Record<string, { readonly map: unknown }>>>>
  }
}

function typeOf(schemaText: string) {
  const schema = JSON.parse(schemaText) as { fields: { type: { fields: { type: { values: unknown[] } }[] } }[] }
  const { type } = schema.fields[2]!.type.fields[2]!
  type.values = type.values.map((map, i) => ({ type: 'record', name: `map${i}`, fields: [{ name: 'map', type: map }] }))
  return avscType(schema)
}

/** The text of a command: a `scribe_message` has one string. */
export function payloadOf(datum: Buffer): string {
  return (avscType(JSON.parse(textOfToday('scribe_step-scribe.avsc'))).fromBuffer(datum) as { payload: string }).payload
}
