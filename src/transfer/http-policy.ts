// Which addresses may be asked, and where a redirect may lead.
import { ServiceError, UsageError } from '../errors.ts'

/** What the user allows. */
export interface HttpPolicy {
  /** plain http to hosts other than this machine */
  readonly allowHttp: boolean
}

/** @throws UsageError for plain http to another machine that was not allowed */
export function checkScheme(url: URL, { allowHttp }: HttpPolicy): void {
  if (url.protocol === 'https:' || allowHttp || isLoopback(url)) return
  throw new UsageError(`${shownUrl(url)}: plain http, where anybody on the way can change what arrives`, {
    hint: 'Use https, or --allow-http if you trust the network (then also give --sha256 FILE).',
  })
}

/**
 * Where a redirect leads, if it may lead there.
 *
 * @param headers those of the request that was redirected
 * @returns the next address and headers; credentials never go to another host, port or scheme
 * @throws ServiceError saying what is refused and why
 */
export function followRedirect(
  from: URL,
  location: string,
  headers: Readonly<Record<string, string>>,
  { allowHttp }: HttpPolicy,
): { url: URL; headers: Record<string, string> } {
  const url = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const refuse = (why: string): ServiceError =>
    new ServiceError(`${shownUrl(from)}: redirects to ${url ? shownUrl(url) : JSON.stringify(location)}, ${why}`, {
      hint: 'Is it the right address? A login page or a changed server answers like this.',
    })
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw refuse('which is no http(s) address')
  if (url.username !== '' || url.password !== '') throw refuse('with a user or password that nobody gave')
  if (isLoopback(url) && !isLoopback(from)) throw refuse('which is this machine: no server elsewhere may send us here')
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
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`
}
