// lcclf stream --dry-run: the plan in words, without a secret.
import type { StreamOutput, StreamPlan } from './plan.ts'

/** The plan as lines for a terminal. */
export function describeStream(plan: StreamPlan): string {
  const { source, groupId, outputs, delivery, batchSize, batchTimeout, onBadMessage, deadLetters, metrics } = plan
  const { sasl, tls } = source.connection
  const security = [...(tls ? ['TLS'] : []), ...(sasl ? [`${sasl.mechanism} as ${sasl.username}`] : [])]
  const rows: [string, string][] = [
    ['input', `${source.address}${security.length > 0 ? ` (${security.join(', ')})` : ''}`],
    ['reading', readingText(plan)],
    ...(groupId === undefined ? [] : [['group', groupId] as [string, string]]),
    ...outputs.map((output): [string, string] => ['output', outputText(output)]),
    ['delivery', delivery],
    ['batches', `${batchSize} messages, or what there is after ${batchTimeout} s`],
    [
      'bad',
      `${onBadMessage}${deadLetters ? `, to ${deadLetters.kind === 'file' ? deadLetters.path : deadLetters.address}` : ''}`,
    ],
    ['model', plan.model ?? 'the newest of the store'],
    ['metrics', metrics ? `${metrics.connection.brokers.join(',')} ${metrics.topic(new Date())}` : 'none'],
    ...(plan.metricsPort === undefined
      ? []
      : [['page', `port ${plan.metricsPort}: /metrics /healthz /readyz`] as [string, string]]),
  ]
  return `${rows.map(([name, text]) => `${name.padEnd(9)}${text}`).join('\n')}\nNothing was read or written.\n`
}

function readingText({ source: { reading }, untilCaughtUp }: StreamPlan): string {
  if (reading.kind === 'group') return untilCaughtUp ? 'until it has caught up' : 'for ever'
  const bound = (time: number | undefined, word: string): string =>
    time === undefined ? '' : ` ${word} ${new Date(time).toISOString()}`
  const end = reading.until === undefined && reading.isEndless === true ? ' and on' : ''
  return `a replay${bound(reading.since, 'since')}${bound(reading.until, 'until')}${end}, nothing is committed`
}

function outputText(output: StreamOutput): string {
  switch (output.kind) {
    case 'kafka':
      return `${output.address} (${output.outputSchema} schema)`
    case 'postgres':
      return output.address
    case 'stdout':
      return 'stdout, NDJSON'
  }
}
