// Objects of a bucket as a source: each through a temporary file, for as long as it is open.
import { LcclfError } from '../../errors.ts'
import { fetchObject, fetchParquetFooter } from './fetch-object.ts'
import type { FileSourceSpec } from '../files/file-formats.ts'
import type { ReadOptions, Source } from '../../pipeline/source.ts'
import type { S3SourceSpec } from './address.ts'

/**
 * Opens one object.
 *
 * @param openFile opens the file that it becomes
 * @throws DataError where it changed since it was listed, or as the file's format says; ServiceError for a service or a
 *   disk that fails
 */
export async function openS3Source(
  spec: S3SourceSpec,
  options: ReadOptions,
  openFile: (spec: FileSourceSpec, options: ReadOptions) => Promise<Source>,
): Promise<Source> {
  const { address, format, size, etag } = spec
  const isFooterEnough = options.isForSchema === true && format === 'parquet'
  const object = await (isFooterEnough ? fetchParquetFooter : fetchObject)(spec, options.signal)
  try {
    const file = await openFile({ kind: 'file', address, path: object.path, format }, options)
    return {
      ...file,
      identity: { address, size, ...(etag === null ? {} : { etag: plainEtag(etag) }) },
      async *deliveries(signal) {
        try {
          yield* file.deliveries(signal)
        } catch (error) {
          throw withAddress(error, object.path, address)
        }
      },
      async close() {
        await file.close()
        await object.remove()
      },
    }
  } catch (error) {
    await object.remove()
    throw withAddress(error, object.path, address)
  }
}

/** Libraries name the file that they read, which says nothing to anybody. */
function withAddress(error: unknown, path: string, address: string): unknown {
  if (error instanceof LcclfError) error.message = error.message.replaceAll(path, address)
  return error
}

/** An ETag as receipts have it: without the quotes of the header. */
export function plainEtag(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}
