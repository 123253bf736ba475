// One result of a folder output, and the receipt beside it: a file or an object.
import { existsSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { ServiceError } from '../../errors.ts'
import { bucketToWrite, type S3Bucket } from '../../connectors/s3/bucket.ts'
import { patiently } from '../../transfer/transient-error.ts'
import type { S3Place } from '../../connectors/s3/address.ts'
import type { ResultSpec } from './plan.ts'
import { type Receipt, writeReceipt } from './receipt.ts'

/** A result and its receipt. What a bucket refuses is a ServiceError. */
export interface ResultPlace {
  readonly address: string
  exists(): Promise<boolean>
  /** the text of the receipt, undefined where there is none */
  readReceipt(): Promise<string | undefined>
  removeReceipt(): Promise<void>
  writeReceipt(receipt: Receipt): Promise<void>
}

/** The place of a result. */
export function resultPlace(spec: ResultSpec): ResultPlace {
  return spec.kind === 's3' ? objectPlace(spec.address, spec.place) : filePlace(spec.path)
}

function filePlace(path: string): ResultPlace {
  const receiptPath = `${path}.receipt.json`
  return {
    address: path,
    exists: () => Promise.resolve(existsSync(path)),
    async readReceipt() {
      if (!existsSync(receiptPath)) return undefined
      // one that cannot be read vouches for nothing
      return readFile(receiptPath, 'utf8').catch(() => '')
    },
    removeReceipt: () => Promise.resolve(rmSync(receiptPath, { force: true })),
    writeReceipt: (receipt) => Promise.resolve(writeReceipt(receiptPath, receipt)),
  }
}

const hint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right? Finished results stay: --resume goes on.'

function objectPlace(address: string, place: S3Place): ResultPlace {
  const { key } = place
  const receiptKey = `${key}.receipt.json`
  const ask = <T>(work: (bucket: S3Bucket) => Promise<T>): Promise<T> =>
    patiently(async () => work(await bucketToWrite(place)), { hint })
  return {
    address,
    exists: async () => (await ask((bucket) => bucket.stat(key))) !== undefined,
    readReceipt: () => ask((bucket) => textOf(bucket, receiptKey)),
    removeReceipt: () => ask((bucket) => bucket.remove(receiptKey)),
    async writeReceipt(receipt) {
      const text = Buffer.from(`${JSON.stringify(receipt, null, 2)}\n`)
      const written = await ask((bucket) => bucket.write(receiptKey, text, { contentType: 'application/json' }))
      if (written === 'changed') throw new ServiceError(`${address}.receipt.json: somebody else is writing it`)
    },
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
