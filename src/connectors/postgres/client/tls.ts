// TLS as libpq's sslmode asks for it.
import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import { messageOf, systemCode, UsageError } from '../../../errors.ts'
import type { ConnectionSettings } from '../settings.ts'

/** What pg takes for `ssl`. */
export type Tls = false | ConnectionOptions

/**
 * What libpq tries for each mode, in order.
 *
 * @throws UsageError for a file that cannot be read
 */
export function tlsAttempts({ host, ssl }: ConnectionSettings): readonly Tls[] {
  if (host.startsWith('/')) return [false]
  const files = {
    ...(ssl.certificate === undefined ? {} : { cert: readPem(ssl.certificate, 'sslcert') }),
    ...(ssl.key === undefined ? {} : { key: readPem(ssl.key, 'sslkey') }),
  }
  const unchecked = { ...files, rejectUnauthorized: false }
  const anyName = { checkServerIdentity: () => undefined }
  switch (ssl.mode) {
    case 'disable':
      return [false]
    case 'allow':
      return [false, unchecked]
    case 'prefer':
      return [unchecked, false]
    case 'require':
      return [
        ssl.rootCertificate === undefined ? unchecked : { ...files, ...authority(ssl.rootCertificate), ...anyName },
      ]
    case 'verify-ca':
      return [{ ...files, ...authority(ssl.rootCertificate), ...anyName }]
    case 'verify-full':
      return [{ ...files, ...authority(ssl.rootCertificate) }]
  }
}

function authority(path: string | undefined): ConnectionOptions {
  if (path === 'system') return { rejectUnauthorized: true }
  if (path !== undefined) return { rejectUnauthorized: true, ca: readPem(path, 'sslrootcert') }
  try {
    return { rejectUnauthorized: true, ca: readFileSync(join(homedir(), '.postgresql', 'root.crt')) }
  } catch {
    // libpq's place for it is empty: then the authorities that Node knows
    return { rejectUnauthorized: true }
  }
}

function readPem(path: string, parameter: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new UsageError(`${parameter}: ${path} cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
}
