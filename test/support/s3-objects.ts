// What tests do with a bucket besides what is tested: put objects there, look at them, and at uploads nobody finished.
import { ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3'
import { s3Settings, type S3Place } from '../../src/connectors/s3/address.ts'
import { openS3Bucket, type S3Bucket } from '../../src/connectors/s3/bucket.ts'
import { openS3Client } from '../../src/connectors/s3/client.ts'
import type { S3Server } from './s3-server.ts'

/** A bucket of a test. */
export interface TestBucket {
  readonly bucket: S3Bucket
  readonly client: S3Client
  /** where a key is, asked at `endpoint` (a proxy's, for example) */
  place(key: string, endpoint?: string): S3Place
  keys(prefix?: string): Promise<string[]>
  bytes(key: string): Promise<Buffer>
  /** keys of uploads that were begun, and neither completed nor given back */
  openUploads(): Promise<string[]>
  close(): void
}

/** The SDK's own chain reads the process's environment, which gets the server's credentials here. */
export async function openTestBucket(server: S3Server, name = 'survey'): Promise<TestBucket> {
  Object.assign(process.env, server.environment)
  const settings = s3Settings(server.environment)
  const options = { settings, allowHttp: false, needsCredentials: true }
  const bucket = await openS3Bucket(name, options)
  const client = await openS3Client(options)
  return {
    bucket,
    client,
    place: (key, endpoint = server.endpoint) => ({ bucket: name, key, settings: { ...settings, endpoint } }),
    async keys(prefix = '') {
      const keys: string[] = []
      for await (const { key } of bucket.list(prefix)) keys.push(key)
      return keys
    },
    async bytes(key) {
      const found = await bucket.read(key, {})
      if (found === undefined || found === 'changed') throw new Error(`${key}: ${found}`)
      const pieces: Buffer[] = []
      for await (const piece of found.body) pieces.push(piece as Buffer)
      return Buffer.concat(pieces)
    },
    async openUploads() {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: name }))
      return Uploads.map(({ Key }) => Key!)
    },
    close() {
      bucket.close()
      client.destroy()
    },
  }
}
