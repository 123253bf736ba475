// Objects over http and https: ranges, redirects, and answers that are told apart into "not there", "later" and "no".
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../errors.ts'
import type { AbsentObject, ObjectReader, OpenedObject, ReadRequest } from './object-reader.ts'
import { passingFailure, rangesHint, StalePartError, TransientError } from './transient-error.ts'

/** What the user allows. */
export interface HttpPolicy {
  /** plain http to hosts other than this machine */
  readonly allowHttp: boolean
}

const maxRedirects = 5
const connectMs = 30_000

/**
 * Reads below an address, or the one object that it names.
 *
 * @throws UsageError for an address that `policy` forbids
 */
export function httpReader(address: URL, policy: HttpPolicy): ObjectReader {
  checkScheme(address, policy)
  const base = new URL(address)
  const credentials = authorizationOf(base)
  base.username = ''
  base.password = ''
  const urlOf = (name: string): URL => {
    if (name === '') return base
    const url = new URL(encodeURI(name), base)
    // a signed query belongs to every file of the folder
    url.search = base.search
    return url
  }
  return {
    address: shownUrl(base),
    nameOf: (name) => shownUrl(urlOf(name)),
    async open(name, request) {
      const start = urlOf(name)
      let url = start
      let headers: Record<string, string> = { ...rangeHeaders(request), ...credentials }
      for (let redirects = 0; ; redirects++) {
        const response = await send(url, headers, request.signal)
        const { statusCode: status = 0, headers: answer } = response
        if (status < 300 || status > 399 || answer.location === undefined) {
          return read(response, url, headers['range'] === undefined ? 0 : request.from)
        }
        response.destroy()
        if (redirects === maxRedirects) {
          throw new ServiceError(`${shownUrl(start)}: redirects more than ${maxRedirects} times`)
        }
        ;({ url, headers } = followRedirect(url, answer.location, headers, policy))
      }
    },
    close: () => undefined,
  }
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function rangeHeaders({ from, etag }: ReadRequest): Record<string, string> {
  // the bytes as they are stored: a range of something compressed on the way would be another thing
  const always = { 'accept-encoding': 'identity', accept: '*/*', 'user-agent': 'lcclf' }
  return from > 0 && etag !== null ? { ...always, range: `bytes=${from}-`, 'if-range': etag } : always
}

async function send(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined) {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const sent = request(url, { headers, ...(signal ? { signal } : {}) })
  // what breaks once the body is being read is thrown there, and here as well
  sent.on('error', () => undefined)
  const late = new TransientError(`no answer within ${connectMs / 1000} s`)
  const timer = setTimeout(() => sent.destroy(late), connectMs)
  try {
    sent.end()
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return response
  } catch (error) {
    throw signal?.aborted ? error : failureOf(error, url)
  } finally {
    clearTimeout(timer)
  }
}

function failureOf(error: unknown, url: URL): Error {
  if (error instanceof TransientError || error instanceof LcclfError) return error
  const passing = passingFailure(error)
  if (passing !== undefined) return new TransientError(passing, { cause: error })
  const code = systemCode(error) ?? ''
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code)
  return new ServiceError(`${shownUrl(url)}: the request failed (${code === '' ? messageOf(error) : code})`, {
    cause: error,
    hint: isCertificate
      ? 'The server’s certificate is not trusted. NODE_EXTRA_CA_CERTS names a file with more authorities.'
      : 'Check the address and the network.',
  })
}

function read(response: IncomingMessage, url: URL, asked: number): OpenedObject | AbsentObject {
  const { statusCode: status = 0, headers } = response
  if (status === 200 || status === 206) return bodyOf(response, url, asked)
  response.destroy()
  if (status === 404 || status === 410) return { kind: 'absent', why: `not found (${status})` }
  // without the right to list a bucket, missing objects are answered with "forbidden"
  if (status === 401 || status === 403) return { kind: 'absent', why: `the server refuses it (${status})` }
  if (status === 416 && asked > 0) throw new StalePartError('the server has fewer bytes than before (416)')
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`the server answers ${status}`, { retryAfterMs: retryAfter(headers['retry-after']) })
  }
  throw new ServiceError(`${shownUrl(url)}: the server answers ${status}`, { hint: 'Check the address.' })
}

function bodyOf(response: IncomingMessage, url: URL, asked: number): OpenedObject {
  const { statusCode: status, headers } = response
  // a file that was compressed before it was stored arrives as it is stored, as with curl: checksums are of those bytes
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length'])
  // a weak ETag does not promise the same bytes
  const strongEtag = headers.etag?.startsWith('"') ? headers.etag : undefined
  const etag = strongEtag ?? headers['last-modified'] ?? null
  const md5 = headers['content-encoding'] === undefined && status === 200 ? md5Of(headers['content-md5']) : null
  if (status === 200) return { kind: 'object', from: 0, size: length, etag, md5, body: response }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
  const [from, to, size] = [Number(range?.[1]), Number(range?.[2]), Number(range?.[3])]
  const isRight = range && asked > 0 && from === asked && (Number.isNaN(size) || (to < size && to >= from))
  if (isRight) return { kind: 'object', from, size: Number.isNaN(size) ? null : size, etag, md5, body: response }
  response.destroy()
  const wrong = `asked for bytes from ${asked} on, the server sends ${headers['content-range'] ?? 'an unnamed range'}`
  if (asked > 0) throw new StalePartError(wrong)
  throw new ServiceError(`${shownUrl(url)}: ${wrong}`, { hint: rangesHint })
}

function md5Of(base64: string | string[] | undefined): string | null {
  const bytes = typeof base64 === 'string' ? Buffer.from(base64, 'base64') : undefined
  return bytes?.length === 16 ? bytes.toString('hex') : null
}

/** Seconds or a date; at most a minute. */
function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 60_000) : undefined
}

// Which addresses may be asked, and where a redirect may lead.

/** @throws UsageError for plain http to another machine that was not allowed */
export function checkScheme(url: URL, { allowHttp }: HttpPolicy): void {
  if (url.protocol === 'https:' || allowHttp || isLoopback(url)) return
  throw new UsageError(`${shownUrl(url)}: plain http, which anybody on the way can tamper with`, {
    hint: 'Use https, or --allow-http if you trust the network (then also give --sha256 FILE).',
  })
}

/** The next address and headers, if a redirect may lead there. Credentials never go to another host, port or scheme. */
function followRedirect(
  from: URL,
  location: string,
  headers: Readonly<Record<string, string>>,
  { allowHttp }: HttpPolicy,
): { url: URL; headers: Record<string, string> } {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const refuse = (why: string): ServiceError =>
    new ServiceError(`${shownUrl(from)}: redirects to ${url ? shownUrl(url) : JSON.stringify(location)}, ${why}`, {
      hint: 'Check the address. A login page or a server that has moved answers like this.',
    })
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw refuse('which is not an http(s) address')
  if (url.username !== '' || url.password !== '') throw refuse('with a user or password that nobody gave')
  if (isLoopback(url) && !isLoopback(from)) throw refuse('which is this machine: another server may not send us here')
  if (url.protocol === 'http:' && !allowHttp) {
    if (from.protocol === 'https:') throw refuse('from https to plain http')
    if (!isLoopback(url)) throw refuse('which is plain http')
  }
  const { authorization, ...others } = headers
  const keepsSecret = url.origin === from.origin && authorization !== undefined
  return { url, headers: keepsSecret ? { ...others, authorization } : others }
}

/** Whether an address is this machine's own, so that nobody can listen on the way. */
function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

/** An address as it may be shown: user, password and query can hold secrets. */
function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}
