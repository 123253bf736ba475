// A file of an Avro schema for results → which of the schemas that can be written it is.
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type OutputSchema, outputSchemas, outputSchemaText } from '../../connectors/kafka/output-message.ts'
import { scribeSchemaText } from '../../connectors/kafka/scribe-command.ts'
import { UsageError, whyUnreadable } from '../../errors.ts'

/**
 * Names, field order, types and the order of unions must be those of a schema that is known: bare data are read by them
 * alone.
 *
 * @param setting that names the file, for messages
 * @throws UsageError for a file that cannot be read, or a schema that is not known
 */
export function outputSchemaOf(path: string, setting: string): OutputSchema {
  const found = withoutWords(readSchema(path, setting))
  const known = schemas.find(({ shape }) => isDeepStrictEqual(found, withoutWords(shape)))
  if (known) return known.name
  throw new UsageError(`${setting} ${path}: lcclf does not write messages of this schema`, {
    hint: `It writes ${schemas.map(({ name }) => name).join(', ')}: alerce-2025 is output_ztf.avsc of the survey.`,
  })
}

/** Checks that a file is the schema of a command: one text, `payload`. @throws UsageError */
export function checkCommandSchema(path: string, setting: string): void {
  if (isDeepStrictEqual(withoutWords(readSchema(path, setting)), JSON.parse(scribeSchemaText))) return
  throw new UsageError(`${setting} ${path}: not the schema of commands, scribe_message with one text, payload`)
}

function readSchema(path: string, setting: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'not JSON' : whyUnreadable(cause)
    throw new UsageError(`${setting} ${path}: cannot be read (${why})`, {
      cause,
      hint: 'The image of the survey has it below /schemas: mount that folder, or remove the setting.',
    })
  }
}

/** A schema without what is written for people, and without what the namespace of a map could be. */
function withoutWords(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutWords)
  if (typeof schema !== 'object' || schema === null) return schema
  const isMap = 'type' in schema && schema.type === 'map'
  const entries = Object.entries(schema).filter(([key]) => key !== 'doc' && !(isMap && key === 'name'))
  return Object.fromEntries(entries.map(([key, value]) => [key, withoutWords(value)])) as unknown
}

const schemas = outputSchemas.map((name) => ({ name, shape: JSON.parse(outputSchemaText(name)) as unknown }))
