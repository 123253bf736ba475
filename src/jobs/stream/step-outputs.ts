// The outputs that the environment of the survey's steps names: tables, a topic of results, commands for the tables' writer.
import { existsSync } from 'node:fs'
import { type Environment, filled, kafkaAddressOf } from '../../connectors/kafka/address.ts'
import type { MessageKind } from '../../connectors/kafka/output-form.ts'
import type { OutputSchema } from '../../connectors/kafka/output-message.ts'
import { type KafkaSinkSpec, kafkaSinkSpec } from '../../connectors/kafka/spec.ts'
import { postgresSinkSpec } from '../../connectors/postgres/address.ts'
import type { SinkSpec } from '../../connectors/spec.ts'
import { UsageError } from '../../errors.ts'
import type { StreamFlags } from '../../terminal/flags.ts'
import { wordOf } from './step-settings.ts'
import { checkCommandSchema, outputSchemaOf } from './output-schema-file.ts'

/** What the steps write to. */
type StepOutput = Extract<SinkSpec, { kind: 'kafka' | 'postgres' }>

/**
 * `DB_HOST` → the tables; `PRODUCER_SERVER` → results; `SCRIBE_SERVER` → commands. None that is not named.
 *
 * @throws UsageError for classes and schemas that cannot be written
 */
export function stepOutputs(
  { outputSchema, missingObject }: Pick<StreamFlags, 'outputSchema' | 'missingObject'>,
  environment: Environment,
): StepOutput[] {
  const database = filled(environment['DB_HOST'])
  const outputs = [
    database === undefined ? undefined : postgresSinkSpec('postgres://', missingObject, environment),
    producerOutput(outputSchema, environment),
    scribeOutput(environment),
  ]
  return outputs.filter((output) => output !== undefined)
}

function producerOutput(asked: OutputSchema | undefined, environment: Environment): KafkaSinkSpec | undefined {
  const producer = kafkaAddressOf('producer', environment)
  if (!producer) return undefined
  const parser = wordOf('STEP_PARSER_CLASS', environment)
  if (parser !== undefined && parser !== 'AlerceParser') {
    throw new UsageError(`STEP_PARSER_CLASS ${parser}: messages of this form are not written`, {
      hint: 'AlerceParser is what lcclf writes.',
    })
  }
  const framing = framingOf('PRODUCER_CLASS', environment)
  const file = filled(environment['PRODUCER_SCHEMA_PATH'])
  // steps that have a class have this schema where they name none
  const usual = filled(environment['PRODUCER_CLASS']) === undefined ? 'original' : 'alerce-2025'
  const schema = asked ?? (file === undefined ? usual : producedSchema(file))
  return { ...kafkaSinkSpec(producer, schema, environment), ...(framing && { framing }) }
}

/** In another image than the survey's its own file is not where it was, and its place says which one it is. */
function producedSchema(file: string): OutputSchema {
  if (isOwnFile(file, 'lc_classification_step/output_ztf.avsc')) return 'alerce-2025'
  return outputSchemaOf(file, 'PRODUCER_SCHEMA_PATH')
}

function isOwnFile(file: string, place: string): boolean {
  return file.endsWith(`/schemas/${place}`) && !existsSync(file)
}

/** The step of 2026 has no parser: it sends a command for each row of the tables. */
function scribeOutput(environment: Environment): KafkaSinkSpec | undefined {
  const scribe = kafkaAddressOf('scribe', environment)
  if (!scribe) return undefined
  if (scribe.topics.length === 0) throw new UsageError('SCRIBE_SERVER is set, but SCRIBE_TOPIC is not')
  const parser = wordOf('SCRIBE_PARSER_CLASS', environment)
  const as = parser === undefined ? 'scribe-multisurvey' : commands.get(parser)
  if (as === undefined) {
    throw new UsageError(`SCRIBE_PARSER_CLASS ${parser}: commands of this form are not written`, {
      hint: `Known are ${[...commands.keys()].join(', ')}, and none for a command a row.`,
    })
  }
  const sid = filled(environment['SID']) ?? '0'
  if (as === 'scribe-multisurvey' && sid !== '0') {
    throw new UsageError(`SID ${sid}: only 0, which is ZTF, is read from settings`, {
      hint: 'Name the output with --to kafka://…?as=scribe-multisurvey.',
    })
  }
  const framing = framingOf('SCRIBE_PRODUCER_CLASS', environment)
  const file = filled(environment['SCRIBE_SCHEMA_PATH'])
  if (file !== undefined && !isOwnFile(file, 'scribe_step/scribe.avsc')) checkCommandSchema(file, 'SCRIBE_SCHEMA_PATH')
  return { ...kafkaSinkSpec(scribe, 'original', environment), as, ...(framing && { framing }) }
}

const commands: ReadonlyMap<string, MessageKind> = new Map([
  ['ScribeParser', 'scribe'],
  ['TopBottomScribeParser', 'scribe-top-bottom'],
])

/** Undefined for the usual one. */
function framingOf(name: string, environment: Environment): 'schemaless' | undefined {
  const word = wordOf(name, environment)
  if (word === undefined || word === 'KafkaProducer') return undefined
  if (word === 'KafkaSchemalessProducer') return 'schemaless'
  throw new UsageError(`${name} ${word}: not a class that lcclf can stand for`, {
    hint: 'KafkaProducer writes Avro containers, KafkaSchemalessProducer bare Avro data.',
  })
}
