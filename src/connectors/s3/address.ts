// s3://bucket/key as an input or an output, and the settings of the environment that decide how it is asked.
import { UsageError } from '../../errors.ts'
import type { ExtraColumns, InputFormat, Layout, OutputFormat } from '../address.ts'

export interface S3Address {
  readonly bucket: string
  /** '' for the whole bucket; as typed, so a folder's may end with a slash */
  readonly key: string
}

/** A place in a bucket, and how its store is asked. */
export type S3Place = S3Address & { readonly settings: S3Settings }

/** @throws UsageError for anything but `s3://bucket` and `s3://bucket/key` */
export function parseS3Address(text: string): S3Address {
  const [, bucket, key] = /^s3:\/\/([^/?#]+)(?:\/(.*))?$/s.exec(text) ?? []
  if (bucket === undefined || !/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) {
    // what stands before an @ may be a key and its secret
    const shown = text.replace(/\/\/[^/]*@/, '//***@')
    throw new UsageError(`${shown}: not an s3 address`, { hint: 'Expected s3://bucket/key.' })
  }
  return { bucket, key: key ?? '' }
}

type Environment = Readonly<Record<string, string | undefined>>

/** The names by which other programs (Polars, delta-rs, object_store) know the same settings. */
export interface S3Settings {
  /** AWS_SKIP_SIGNATURE=true: ask anonymously */
  readonly isAnonymous: boolean
  /** AWS_VIRTUAL_HOSTED_STYLE_REQUEST; undefined: only where no endpoint is given */
  readonly isVirtualHosted: boolean | undefined
  /** AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL; the SDK also finds one in a profile */
  readonly endpoint: string | undefined
}

export function s3Settings(env: Environment): S3Settings {
  const hosted = env['AWS_VIRTUAL_HOSTED_STYLE_REQUEST']
  return {
    isAnonymous: env['AWS_SKIP_SIGNATURE'] === 'true',
    isVirtualHosted: hosted === undefined ? undefined : hosted === 'true',
    endpoint: env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'] || undefined,
  }
}

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

export function addressOfPlace({ bucket, key }: S3Address): string {
  return `s3://${bucket}/${key}`
}

/** An object as it was when it was listed: that version is read, or none. */
export interface SeenObject {
  /** s3://bucket/key */
  readonly address: string
  readonly place: S3Place
  /** bytes */
  readonly size: number
  /** as the service writes it, with its quotes; null where it gives none */
  readonly etag: string | null
}

/** An ETag as receipts have it: without the quotes of the header. */
export function plainEtag(etag: string): string {
  return etag.replace(/^"(.*)"$/, '$1')
}

/** An object as an input. */
export interface S3SourceSpec extends SeenObject {
  readonly kind: 's3'
  readonly format: InputFormat
}

interface SinkForm {
  readonly format: OutputFormat
  readonly isGzipped: boolean
  readonly layout: Layout
  readonly extras?: ExtraColumns | undefined
  readonly overwrite: boolean
}

/** An object as an output. */
export interface S3SinkSpec extends SinkForm, Pick<SeenObject, 'address' | 'place'> {
  readonly kind: 's3'
}

/** @throws UsageError */
export function s3SinkSpec(address: string, form: SinkForm, environment: Environment): S3SinkSpec {
  return { kind: 's3', address, place: s3Place(address, environment), ...form }
}

/** An object below a prefix as an output. */
export function s3ObjectBelow(prefix: S3Place, name: string, form: SinkForm): S3SinkSpec {
  const place = { ...prefix, key: `${prefix.key}${name}` }
  return { kind: 's3', address: addressOfPlace(place), place, ...form }
}
