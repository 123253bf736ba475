// One message to a webhook: a POST of JSON, which is not followed anywhere.
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { systemCode } from '../../errors.ts'

const patienceMs = 10_000

/** Why a webhook did not take a message, without its address. */
export class WebhookError extends Error {
  /** whether it may take it later */
  readonly isPassing: boolean
  constructor(why: string, isPassing: boolean) {
    super(why)
    this.isPassing = isPassing
  }
}

/** @throws WebhookError; the signal's reason */
export function postJson(url: URL, body: string, signal: AbortSignal): Promise<void> {
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  const account =
    url.username === '' ? undefined : `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  const { protocol, hostname, port, pathname, search } = url
  return new Promise((resolve, reject) => {
    const request = send(
      {
        ...{ protocol, port, signal, method: 'POST', timeout: patienceMs },
        hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
        path: `${pathname}${search}`,
        ...(account === undefined ? {} : { auth: account }),
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const { statusCode = 0 } = response
        response.resume()
        response.once('end', () => {
          if (statusCode >= 200 && statusCode < 300) resolve()
          else
            reject(
              new WebhookError(`it answered ${statusCode}`, statusCode >= 500 || [408, 425, 429].includes(statusCode)),
            )
        })
        response.once('error', () => reject(new WebhookError('its answer broke off', true)))
      },
    )
    request.once('timeout', () => request.destroy(new WebhookError(`no answer within ${patienceMs / 1000} s`, true)))
    request.once('error', (error) => {
      if (signal.aborted) reject(signal.reason as Error)
      else reject(error instanceof WebhookError ? error : new WebhookError(systemCode(error) ?? 'no connection', true))
    })
    request.end(body)
  })
}
