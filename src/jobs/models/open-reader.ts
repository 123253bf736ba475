// An address → what reads below it.
import { existsSync, statSync } from 'node:fs'
import { UsageError } from '../../errors.ts'
import { redactedText } from '../../formats/shown-text.ts'
import { fileReader, pathOfFileAddress } from '../../transfer/file-reader.ts'
import type { HttpPolicy } from '../../transfer/http-policy.ts'
import { httpReader } from '../../transfer/http-reader.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { s3Settings } from '../../connectors/s3/address.ts'

/** What decides how an address is asked. */
interface ReaderOptions extends HttpPolicy {
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Opens http(s)://…, s3://…, file:… or a path. What does not end in `.tar.gz` or `.tgz` is a folder, with or without a
 * slash at its end.
 *
 * @throws UsageError for an address of another kind, or one that may not be asked
 */
export async function openReader(address: string, { allowHttp, environment }: ReaderOptions): Promise<ObjectReader> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(address)?.[1]?.toLowerCase()
  if (scheme === 'http' || scheme === 'https') {
    if (!URL.canParse(address))
      throw new UsageError('this is no http address', { hint: 'Expected https://host/path/.' })
    const url = new URL(address)
    if (!isArchive(url.pathname) && !url.pathname.endsWith('/')) url.pathname += '/'
    return httpReader(url, { allowHttp })
  }
  if (scheme === 's3') {
    const { s3Reader } = await import('../../connectors/s3/s3-reader.ts')
    const settings = s3Settings(environment)
    const folder = isArchive(address) || address.endsWith('/') ? address : `${address}/`
    return s3Reader(folder, { allowHttp, settings, needsCredentials: false })
  }
  const path = scheme === 'file' ? pathOfFileAddress(address, addressHint) : address
  if (!existsSync(path)) throw new UsageError(`${redactedText(address)}: not found`, { hint: addressHint })
  if (!isArchive(path) && !statSync(path).isDirectory()) {
    throw new UsageError(`${redactedText(address)}: is neither a folder nor a .tar.gz`, { hint: addressHint })
  }
  return fileReader(path)
}

const addressHint =
  'Expected https://host/folder/, s3://bucket/prefix/, file:/folder/, a path, or a .tar.gz at any of these.'

function isArchive(path: string): boolean {
  return /\.(tar\.gz|tgz)$/.test(path)
}
