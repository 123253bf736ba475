// Whether a stream is well, and the pages that say so: for whoever restarts it, and for whoever waits until it is ready.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Sink } from '../../pipeline/sink.ts'
import type { KafkaStream } from '../../connectors/kafka/kafka-source.ts'
import type { StreamWatch } from './stream-batches.ts'
import { systemCode, UsageError } from '../../errors.ts'
import type { Prometheus } from './prometheus.ts'

/** a broker may be away for a moment without anybody being told */
const unreachableMs = 10_000
/** a batch that waits for its outputs longer than this waits for something that is not there */
const stuckMs = 60_000
/** beyond every retry that a sink or the client makes by itself */
const lostMs = 900_000

type Health = ReturnType<typeof createHealth>

/** The state of a stream. */
export function createHealth() {
  let doing: string | undefined = 'starting'
  let source: KafkaStream | undefined
  let outputs: readonly Sink[] = []
  /** batches that have arrived and are not acknowledged, and since when nothing happens to them */
  let inHand = 0
  let movedAt = performance.now()

  const done = (): void => {
    inHand--
    moved()
  }
  const moved = (): void => void (movedAt = performance.now())
  const waitedMs = (): number => (inHand > 0 ? performance.now() - movedAt : 0)
  const inSeconds = (milliseconds: number): string => `${Math.round(milliseconds / 1000)} s`

  const watch: StreamWatch = {
    onBegin(sinks) {
      outputs = sinks
    },
    onReceived() {
      if (inHand++ === 0) moved()
    },
    onStage: moved,
    onCommitted: done,
    // it arrives again
    onNotCommitted: done,
  }
  return {
    ...watch,
    /** what is still to be done before messages are read, in words; undefined when it is done */
    step(next: string | undefined): void {
      doing = next
      moved()
    },
    watch(opened: KafkaStream): void {
      source = opened
    },
    /** why it should be restarted, or undefined */
    illness(): string | undefined {
      return waitedMs() > lostMs ? `a batch has been waiting for its outputs for ${inSeconds(waitedMs())}` : undefined
    },
    /** why it is not ready, or undefined */
    unreadiness(): string | undefined {
      if (doing !== undefined) return doing
      const away = source?.status().unreachableMs ?? 0
      if (away > unreachableMs) return `the brokers have been unreachable for ${inSeconds(away)}`
      for (const { address, unreachableMs: gone = 0 } of outputs) {
        if (gone > unreachableMs) return `${address} has been unreachable for ${inSeconds(gone)}`
      }
      return waitedMs() > stuckMs ? `an output has not taken its batch for ${inSeconds(waitedMs())}` : undefined
    },
  }
}

/**
 * Serves /metrics for Prometheus, /healthz and /readyz for whoever watches over the process. Listens on all interfaces, as
 * a container's probes need it; it tells nothing secret and takes no input.
 *
 * @param port 0 for any that is free
 * @throws UsageError for a port that is not available
 */
export async function openMetricsServer(port: number, prometheus: Prometheus, health: Health) {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'only GET\n')
    switch ((request.url ?? '').split('?', 1)[0]!) {
      case '/metrics':
        prometheus.page().then(
          (page) => answer(response, 200, page, prometheus.contentType),
          () => answer(response, 500, 'no metrics\n'),
        )
        return
      case '/healthz':
        return verdict(response, health.illness())
      case '/readyz':
        return verdict(response, health.unreadiness())
      default:
        return answer(response, 404, '/metrics, /healthz, /readyz\n')
    }
  })
  await once(server.listen(port), 'listening').catch((cause: unknown) => {
    const why = systemCode(cause) ?? 'unknown reason'
    throw new UsageError(`--metrics-port ${port}: cannot listen there (${why})`, { cause })
  })
  // it must not keep a process alive that has nothing else to do
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function verdict(response: ServerResponse, problem: string | undefined): void {
  answer(response, problem === undefined ? 200 : 503, `${problem ?? 'ok'}\n`)
}

function answer(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type })
  response.end(body)
}
