// What the environment of the survey's steps says of messages and the model, beside where they come from and go.
import { type Environment, filled } from '../../connectors/kafka/address.ts'
import { UsageError } from '../../errors.ts'
import { lastWord } from './config-settings.ts'

/** The model that a step's settings name. */
export interface StepModel {
  /** a bundle, a REF, or a model that is imported at the first start: a file, a folder or an address */
  readonly path: string | undefined
  /** `classifier_name` of its results, and its name in the store */
  readonly name: string | undefined
  readonly version: string | undefined
}

/**
 * The environment as the input is read from, and what of it is not used.
 *
 * @param hasOwnInput an address was typed: then nobody asks for the class of the consumer
 * @throws UsageError for a consumer that lcclf cannot stand for
 */
export function consumerEnvironment(environment: Environment, hasOwnInput: boolean) {
  const name = wordOf('CONSUMER_CLASS', environment)
  const hasSchema = filled(environment['CONSUMER_SCHEMA_PATH']) !== undefined
  if (name === undefined || hasOwnInput) return { environment, notes: [] }
  if (name === 'KafkaSchemalessConsumer') {
    if (hasSchema) return { environment, notes: [] }
    throw new UsageError(`CONSUMER_CLASS ${name} needs CONSUMER_SCHEMA_PATH`, {
      hint: "The .avsc file of the messages: bare data do not say what they are. The survey's is feature_step/output.avsc.",
    })
  }
  if (!/^Kafka(?:Json)?Consumer$/i.test(name)) {
    throw new UsageError(`CONSUMER_CLASS ${name}: not a class that lcclf can stand for`, {
      hint: 'KafkaConsumer, KafkaJsonConsumer and KafkaSchemalessConsumer are. lcclf classify reads files.',
    })
  }
  if (!hasSchema) return { environment, notes: [] }
  const note = `CONSUMER_SCHEMA_PATH is not used: messages for ${name} say themselves what they are`
  return { environment: { ...environment, CONSUMER_SCHEMA_PATH: undefined }, notes: [note] }
}

/**
 * `MODEL_CLASS`, `MODEL_PATH`, `MODEL_VERSION`, `CLASSIFIER_NAME`.
 *
 * @param isNamed `--model` or LCCLF_MODEL says which model answers, whatever its class is called there
 * @throws UsageError for a class of models that lcclf does not run
 */
export function stepModel(environment: Environment, isNamed: boolean): StepModel {
  const word = wordOf('MODEL_CLASS', environment)
  if (word !== undefined && !isNamed && !runnable.has(word)) {
    throw new UsageError(`MODEL_CLASS ${word} ${unrunnable.get(word) ?? 'is not known'}`, {
      hint: `lcclf stands for ${[...runnable].join(', ')}. --model or LCCLF_MODEL names another model, which then answers.`,
    })
  }
  return {
    path: isNamed ? undefined : filled(environment['MODEL_PATH']),
    name: filled(environment['CLASSIFIER_NAME']) ?? (isNamed ? undefined : usualName(word, environment)),
    version: filled(environment['MODEL_VERSION']),
  }
}

/** As the steps name their results if nobody does. */
function usualName(word: string | undefined, environment: Environment): string | undefined {
  if (word === 'HierarchicalRandomForest') return 'lc_classifier'
  const isOfToday = filled(environment['SCRIBE_PARSER_CLASS']) === undefined
  return word === 'SquidwardFeaturesClassifier' && isOfToday ? 'lc_classifier_BHRF_forced_phot' : word
}

const runnable = new Set(['HierarchicalRandomForest', 'SquidwardFeaturesClassifier', 'RandomForestFeaturesClassifier'])

const transformer = 'is a transformer, and lcclf runs forests and boosters'
const unrunnable: ReadonlyMap<string, string> = new Map([
  ['BaltoClassifier', transformer],
  ['MessiClassifier', transformer],
  ['MbappeClassifier', transformer],
  ['TinkyWinkyClassifier', 'is a neural network, and lcclf runs forests and boosters'],
  ['AnomalyDetector', 'gives anomaly scores, and no classes'],
  ['RandomForestFeaturesHeaderClassifier', "needs values of the alert's header, which are no features of its messages"],
])

/** Detections that are not forced, without which an object is not classified. @throws UsageError */
export function minDetections(environment: Environment): number | undefined {
  const text = filled(environment['MIN_DETECTIONS'])
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new UsageError(`MIN_DETECTIONS ${text}: expected a whole number of at least 0`)
}

/** `USE_PROMETHEUS` → the steps' own port. */
export function prometheusPort(environment: Environment): number | undefined {
  const word = filled(environment['USE_PROMETHEUS'])?.toLowerCase()
  return word === undefined || ['false', 'no', 'off', '0'].includes(word) ? undefined : 8000
}

const unused = [
  ...[
    'MAPPER_CLASS',
    'CLASS_MAPPER',
    'QUANTILES_PATH',
    'HEADER_QUANTILES_PATH',
    'FEATURE_QUANTILES_PATH',
    'CONFIG_PATH',
  ],
  ...['METRICS_SCHEMA_PATH', 'ENABLE_PARTITION_EOF', 'USE_PROFILING', 'LOG_CLASS_DISTRIBUTION'],
]

/** Settings of the steps that change nothing here, as far as they are set. */
export function unusedSettings(environment: Environment): string[] {
  return unused.filter((name) => filled(environment[name]) !== undefined).map((name) => `${name} is not used`)
}

/** A class of Python by its last word: `apf.producers.KafkaProducer` → `KafkaProducer`. */
export function wordOf(name: string, environment: Environment): string | undefined {
  const text = filled(environment[name])
  return text === undefined ? undefined : lastWord(text)
}
