// The flags of `lcclf stream`. What the original's environment has a number or a word for has it here as a default.
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'
import { inputGroup, outputGroup, runFlags, runGroup, timeWindowFlags } from './flags.ts'

/** What is read, and how much at a time. */
export const streamInputFlags = {
  from: Flags.string({
    helpValue: 'ADDRESS',
    helpGroup: inputGroup,
    description:
      'kafka://host:9092[,host2]/topic[,topic2]?group=NAME (default: CONSUMER_SERVER, CONSUMER_TOPICS, CONSUMER_GROUP_ID)',
  }),
  'batch-size': Flags.integer({
    min: 1,
    max: 100_000,
    default: 1000,
    env: 'CONSUME_MESSAGES',
    helpValue: 'N',
    helpGroup: inputGroup,
    description: 'messages in a batch',
  }),
  'batch-timeout': Flags.custom<number>({ parse: (text) => Promise.resolve(secondsOf(text)) })({
    default: 10,
    env: 'CONSUME_TIMEOUT',
    helpValue: 'SECONDS',
    helpGroup: inputGroup,
    description: 'a batch that is not full goes on after this',
  }),
  'until-caught-up': Flags.boolean({
    helpGroup: inputGroup,
    description: 'end when everything that was there at the start is done',
  }),
  ...timeWindowFlags('with --no-commit'),
  commit: Flags.boolean({
    allowNo: true,
    default: true,
    helpGroup: inputGroup,
    description: 'commit offsets; --no-commit replays by itself and leaves the live group untouched',
  }),
}

/** Where results go, and what becomes of the rest. */
export const streamOutputFlags = {
  to: Flags.string({
    char: 'o',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'ADDRESS',
    helpGroup: outputGroup,
    description:
      'kafka://…, postgres://… or - for NDJSON (repeatable; default: PRODUCER_SERVER and PRODUCER_TOPIC[_FORMAT], and DB_HOST)',
  }),
  delivery: Flags.option({
    options: ['at-least-once', 'exactly-once'] as const,
    default: 'at-least-once' as const,
    helpGroup: outputGroup,
    description: 'exactly-once: outputs and offsets in one Kafka transaction',
  })(),
  'output-schema': Flags.option({
    options: ['original', 'legal'] as const,
    default: 'original' as const,
    helpGroup: outputGroup,
    description: "original: the survey's own schema text; legal: one that every Avro library accepts",
  })(),
  'dead-letter': Flags.string({
    helpValue: 'ADDRESS',
    helpGroup: outputGroup,
    description: 'kafka://… or FILE.ndjson for messages that were not classified, each with its reason',
  }),
  'on-bad-message': Flags.option({
    options: ['dead-letter', 'skip', 'stop'] as const,
    helpGroup: outputGroup,
    description:
      'messages that do not decode, or lack oid or candid (default: dead-letter when one is given, else stop)',
  })(),
  'missing-object': Flags.option({
    options: ['wait', 'reject', 'fail'] as const,
    default: 'wait' as const,
    helpGroup: outputGroup,
    description:
      'a result whose object the database does not know: wait some seconds and then reject it, reject, or fail',
  })(),
}

/** How it runs. */
export const streamRunFlags = {
  model: Flags.string({
    char: 'm',
    env: 'LCCLF_MODEL',
    helpValue: 'REF',
    description: "a bundle's folder, name@version or name in the model store (default: the newest of the store)",
  }),
  engine: runFlags.engine,
  threads: runFlags.threads,
  'metrics-port': Flags.integer({
    min: 0,
    max: 65_535,
    helpValue: 'PORT',
    helpGroup: runGroup,
    description: 'serve /metrics for Prometheus, /healthz and /readyz',
  }),
  'watch-quality': runFlags['watch-quality'],
  'dry-run': Flags.boolean({ helpGroup: runGroup, description: 'print what would be done, without secrets, and end' }),
}

function secondsOf(text: string): number {
  const seconds = Number(text)
  if (text.trim() === '' || !Number.isFinite(seconds) || seconds <= 0 || seconds > 86_400) {
    throw new UsageError(`--batch-timeout ${text}: expected seconds`, { hint: 'It may come from CONSUME_TIMEOUT.' })
  }
  return seconds
}
