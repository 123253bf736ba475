// Objects below an s3 address, by the contract of all readers.
import { ServiceError } from '../../errors.ts'
import type { ObjectReader } from '../../transfer/object-reader.ts'
import { parseS3Address } from './address.ts'
import { openS3Bucket } from './bucket.ts'
import type { S3ClientOptions } from './client.ts'

/** Reads below a prefix, or the one object that the address names. */
export async function s3Reader(address: string, options: S3ClientOptions): Promise<ObjectReader> {
  const { bucket: name, key: prefix } = parseS3Address(address)
  const bucket = await openS3Bucket(name, options)
  const keyOf = (object: string): string => `${prefix}${object}`
  return {
    address,
    nameOf: (object) => `s3://${name}/${keyOf(object)}`,
    async open(object, { from, etag, signal }) {
      const range = from > 0 && etag !== null ? { from, etag, signal } : { signal }
      try {
        const found = await bucket.read(keyOf(object), range)
        const opened = found === 'changed' ? await bucket.read(keyOf(object), { signal }) : found
        if (opened === undefined || opened === 'changed') return { kind: 'absent', why: 'not found (404)' }
        return { kind: 'object', ...opened }
      } catch (error) {
        // who may not list a bucket is told "access denied" of what is not there; a wrong key or secret is told so too
        if (isAccessDenied(error)) return { kind: 'absent', why: 'the service refuses it (403)' }
        throw error
      }
    },
    close: bucket.close,
  }
}

function isAccessDenied(error: unknown): boolean {
  return error instanceof ServiceError && error.cause instanceof Error && error.cause.name === 'AccessDenied'
}
