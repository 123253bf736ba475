// The pages for Prometheus and for whoever watches over the process: /metrics, /healthz, /readyz.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemCode, UsageError } from '../../errors.ts'
import type { Health } from './health.ts'
import type { Prometheus } from './prometheus.ts'

/** A server that listens. */
export interface MetricsServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * Listens on all interfaces, as a container's probes need it; it tells nothing secret and takes no input.
 *
 * @param port 0 for any that is free
 * @throws UsageError for a port that cannot be had
 */
export async function openMetricsServer(port: number, prometheus: Prometheus, health: Health): Promise<MetricsServer> {
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
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new UsageError(`--metrics-port ${port}: cannot listen there (${systemCode(cause) ?? 'unknown reason'})`, {
          cause,
        }),
      ),
    )
    server.listen(port, resolve)
  })
  // a page must not keep a process alive that has nothing else to do
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
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
