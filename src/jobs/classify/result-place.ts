// One result of one input, a file or an object, with the receipt beside it.
import { readFile, rm, stat } from 'node:fs/promises'
import { plainEtag, type S3Place } from '../../connectors/s3/address.ts'
import { bucketToWrite, type S3Bucket } from '../../connectors/s3/bucket.ts'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import { patiently } from '../../transfer/transient-error.ts'
import { removeAbandoned, sha256OfFile, type Written, writeWholeFile } from '../../whole-file.ts'
import type { ResultSpec } from './plan.ts'
import { type Receipt, receiptText } from './receipt.ts'

/** What stands in a result's place now; `differs` says in words how it is not what its receipt describes. */
export interface FoundResult {
  readonly size: number
  differs(described: Written): Promise<string | undefined>
}

/** A result, a file or an object, and the receipt beside it. What a bucket refuses is a ServiceError. */
export interface ResultPlace {
  readonly spec: ResultSpec
  /** undefined where nothing is */
  look(): Promise<FoundResult | undefined>
  /** the text of the receipt, undefined where there is none */
  readReceipt(): Promise<string | undefined>
  removeReceipt(): Promise<void>
  /** @param result what was written */
  writeReceipt(receipt: Receipt, result: Written | undefined): Promise<void>
  /** Removes what processes that were killed left of it. */
  removeLeftovers(): Promise<void>
}

export function resultPlace(spec: ResultSpec): ResultPlace {
  return spec.kind === 's3' ? objectPlace(spec, spec.place) : filePlace(spec, spec.path)
}

function filePlace(spec: ResultSpec, path: string): ResultPlace {
  const receiptPath = `${path}.receipt.json`
  return {
    spec,
    async look() {
      const found = await stat(path).catch(() => undefined)
      return found && { size: found.size, differs: (described) => fileDiffers(path, found.size, described) }
    },
    async readReceipt() {
      try {
        const { size } = await stat(receiptPath)
        return size > mostReceiptBytes ? '' : await readFile(receiptPath, 'utf8')
      } catch (error) {
        // one that cannot be read vouches for nothing
        return systemCode(error) === 'ENOENT' ? undefined : ''
      }
    },
    removeReceipt: () => rm(receiptPath, { force: true }),
    writeReceipt: (receipt, result) => writeWholeFile(receiptPath, receiptText({ ...receipt, result })),
    async removeLeftovers() {
      await removeAbandoned(path)
      await removeAbandoned(receiptPath)
    },
  }
}

/** A result is read as a whole: some hundred times as fast as it was made, and nothing less is sure. */
async function fileDiffers(path: string, size: number, described: Written): Promise<string | undefined> {
  if (size !== described.size) return sizeDiffers(size, described)
  if (described.sha256 === undefined) return 'its receipt does not say the sha256 of its result'
  try {
    return (await sha256OfFile(path)) === described.sha256 ? undefined : 'its result has other bytes than it was given'
  } catch (error) {
    return `its result cannot be read (${systemCode(error) ?? messageOf(error)})`
  }
}

function sizeDiffers(size: number, described: Written): string {
  const [found, said] = [size, described.size].map((bytes) => bytes.toLocaleString('en'))
  return `its result has ${found} bytes where the receipt says ${said}`
}

function objectDiffers(
  { size, etag }: { readonly size: number; readonly etag: string | null },
  described: Written,
): string | undefined {
  if (size !== described.size) return sizeDiffers(size, described)
  if (described.etag === undefined) return 'its receipt does not say the ETag of its result'
  if (etag === null || described.etag === null) return 'the service of its result gives no ETag'
  return plainEtag(etag) === described.etag ? undefined : 'its result has another ETag than the receipt says'
}

const hint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right? Finished results stay: --resume goes on.'

function objectPlace(spec: ResultSpec, place: S3Place): ResultPlace {
  const { key } = place
  const receiptKey = `${key}.receipt.json`
  const ask = <T>(work: (bucket: S3Bucket) => Promise<T>): Promise<T> =>
    patiently(async () => work(await bucketToWrite(place)), { hint })
  return {
    spec,
    async look() {
      const found = await ask((bucket) => bucket.stat(key))
      return found && { size: found.size, differs: (described) => Promise.resolve(objectDiffers(found, described)) }
    },
    readReceipt: () => ask((bucket) => textOf(bucket, receiptKey)),
    removeReceipt: () => ask((bucket) => bucket.remove(receiptKey)),
    async writeReceipt(receipt, result) {
      const text = Buffer.from(receiptText({ ...receipt, result }))
      const written = await ask((bucket) => bucket.write(receiptKey, text, { contentType: 'application/json' }))
      if (written === 'changed') throw new ServiceError(`${spec.address}.receipt.json: somebody else is writing it`)
    },
    removeLeftovers: () => Promise.resolve(),
  }
}

/** A receipt of more bytes is none of ours. */
const mostReceiptBytes = 16 * 1024 * 1024

async function textOf(bucket: S3Bucket, key: string): Promise<string | undefined> {
  const found = await bucket.read(key, {})
  if (found === undefined || found === 'changed') return undefined
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of found.body as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > mostReceiptBytes) return ''
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
