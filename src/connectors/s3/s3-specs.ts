// s3:// addresses as inputs and outputs of a run.
import type { S3SinkSpec } from '../../pipeline/sink.ts'
import { parseS3Address, s3Settings, type S3Place } from './address.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Whether an address names something in a bucket. */
export function isS3Address(address: string): boolean {
  return /^s3:/i.test(address)
}

/** The place of an address; `environment` says how its store is asked. @throws UsageError */
export function s3Place(address: string, environment: Environment): S3Place {
  return { ...parseS3Address(address), settings: s3Settings(environment) }
}

/** Whether an address is a prefix, below which each input has an object of its own. */
export function isS3Folder(address: string): boolean {
  return address.endsWith('/') || /^s3:\/\/[^/]*$/.test(address)
}

/** The address of a place. */
export function addressOfPlace({ bucket, key }: Pick<S3Place, 'bucket' | 'key'>): string {
  return `s3://${bucket}/${key}`
}

/** An object below a prefix as an output. */
export function s3ObjectBelow(
  prefix: S3Place,
  name: string,
  form: Pick<S3SinkSpec, 'format' | 'isGzipped' | 'layout' | 'overwrite'>,
): S3SinkSpec {
  const place = { ...prefix, key: `${prefix.key}${name}` }
  return { kind: 's3', address: addressOfPlace(place), place, ...form }
}

/** An object as an output. @throws UsageError */
export function s3SinkSpec(
  address: string,
  form: Pick<S3SinkSpec, 'format' | 'isGzipped' | 'layout' | 'overwrite'>,
  environment: Environment,
): S3SinkSpec {
  return { kind: 's3', address, place: s3Place(address, environment), ...form }
}
