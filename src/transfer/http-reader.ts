// Objects over http and https: ranges, redirects, and answers that are told apart into "not there", "later" and "no".
import type { ClientRequest, IncomingMessage } from 'node:http'
import { LcclfError, messageOf, ServiceError, systemCode } from '../errors.ts'
import { checkScheme, followRedirect, shownUrl, type HttpPolicy } from './http-policy.ts'
import type { AbsentObject, ObjectReader, OpenedObject, ReadRequest } from './object-reader.ts'
import { passingFailure, rangesHint, StalePartError, TransientError } from './transient-error.ts'

const maxRedirects = 5
const connectMs = 30_000

/**
 * Reads below an address, or the one object that it names.
 *
 * @throws UsageError for an address that may not be asked
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
    open: (name, request) => openHttp(urlOf(name), { ...rangeHeaders(request), ...credentials }, request, policy),
    close: () => undefined,
  }
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {}
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

function rangeHeaders({ from, etag }: ReadRequest): Record<string, string> {
  // the bytes as they lie there: a range of something compressed on the way would be another thing
  const always = { 'accept-encoding': 'identity', accept: '*/*', 'user-agent': 'lcclf' }
  return from > 0 && etag !== null ? { ...always, range: `bytes=${from}-`, 'if-range': etag } : always
}

async function openHttp(
  start: URL,
  startHeaders: Record<string, string>,
  request: ReadRequest,
  policy: HttpPolicy,
): Promise<OpenedObject | AbsentObject> {
  let url = start
  let headers = startHeaders
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
}

async function send(
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  return new Promise((resolve, reject) => {
    const options = { headers, ...(signal ? { signal } : {}) }
    const sent: ClientRequest = request(url, options, (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    const timer = setTimeout(() => {
      sent.destroy(new TransientError(`no answer within ${connectMs / 1000} s`))
    }, connectMs)
    sent.on('error', (error) => {
      clearTimeout(timer)
      reject(signal?.aborted ? error : failureOf(error, url))
    })
    sent.end()
  })
}

/** Also for what breaks later, while the body is read. */
function failureOf(error: unknown, url: URL): Error {
  if (error instanceof TransientError || error instanceof LcclfError) return error
  const passing = passingFailure(error)
  if (passing !== undefined) return new TransientError(passing, { cause: error })
  const code = systemCode(error) ?? ''
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS/.test(code)
  return new ServiceError(`${shownUrl(url)}: cannot be asked (${code === '' ? messageOf(error) : code})`, {
    cause: error,
    hint: isCertificate
      ? 'The server’s certificate is not trusted. NODE_EXTRA_CA_CERTS names a file of further authorities.'
      : 'Is the address right, and the network there?',
  })
}

function read(response: IncomingMessage, url: URL, asked: number): OpenedObject | AbsentObject {
  const { statusCode: status = 0, headers } = response
  if (status === 200 || status === 206) return bodyOf(response, url, asked)
  response.destroy()
  if (status === 404 || status === 410) return { kind: 'absent', why: `not found (${status})` }
  // who may not list a bucket is told "forbidden" of what is not there
  if (status === 401 || status === 403) return { kind: 'absent', why: `the server refuses it (${status})` }
  if (status === 416 && asked > 0) throw new StalePartError('the server has fewer bytes than before (416)')
  if (status === 408 || status === 429 || status >= 500) {
    throw new TransientError(`the server answers ${status}`, { retryAfterMs: retryAfter(headers['retry-after']) })
  }
  throw new ServiceError(`${shownUrl(url)}: the server answers ${status}`, { hint: 'Is the address right?' })
}

function bodyOf(response: IncomingMessage, url: URL, asked: number): OpenedObject {
  const { statusCode: status, headers } = response
  const encoding = headers['content-encoding']
  // what was packed before it was put there arrives as it lies there, as with curl; that is what the checksums are of
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length'])
  const etag = strongEtag(headers.etag) ?? headers['last-modified'] ?? null
  const md5 = encoding === undefined && status === 200 ? md5Of(headers['content-md5']) : null
  if (status === 200) return { kind: 'object', from: 0, size: length, etag, md5, body: response }
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(headers['content-range'] ?? '')
  const [from, to, size] = [Number(range?.[1]), Number(range?.[2]), Number(range?.[3])]
  const isRight = range && asked > 0 && from === asked && (Number.isNaN(size) || (to < size && to >= from))
  if (!isRight) {
    response.destroy()
    const sent = headers['content-range'] ?? 'a part of its own choice'
    const wrong = `asked for bytes from ${asked} on, the server sends ${sent}`
    if (asked > 0) throw new StalePartError(wrong)
    throw new ServiceError(`${shownUrl(url)}: ${wrong}`, { hint: rangesHint })
  }
  return { kind: 'object', from, size: Number.isNaN(size) ? null : size, etag, md5, body: response }
}

/** A weak one does not promise the same bytes. */
function strongEtag(etag: string | undefined): string | undefined {
  return etag?.startsWith('"') ? etag : undefined
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
