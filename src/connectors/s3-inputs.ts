// s3:// addresses of inputs written out: an object, everything below a prefix, or what a pattern matches.
import { DataError, UsageError } from '../errors.ts'
import type { InputFormat } from './files/file-formats.ts'
import { bucketToRead, type S3Bucket, type S3Entry } from './s3/bucket.ts'
import { patiently } from '../transfer/transient-error.ts'
import { addressOfPlace, isS3Address, isS3Folder, parseS3Address, type S3Place, s3Place } from './s3/address.ts'
import { inputFormatOf, knownSuffixes } from './address.ts'
import { byCodeUnit, type Input, type InputOptions, isData, staticRoot, withoutResults } from './input-names.ts'

interface Found {
  /** what names are relative to: a prefix that ends with a slash, or '' */
  readonly root: string
  readonly entries: readonly S3Entry[]
}

const hint = 'Is the service up, and the endpoint (AWS_ENDPOINT_URL) right?'

/**
 * The inputs an address names, by the rules for files: folders and patterns take known suffixes only, no names that begin
 * with `_` or `.`, and are sorted.
 *
 * @throws DataError where nothing is there; UsageError for a name that says no format; ServiceError for a service that
 *   refuses or is away
 */
export async function s3Inputs(
  address: string,
  { fromFormat, outputFolders, environment }: Pick<InputOptions, 'fromFormat' | 'outputFolders' | 'environment'>,
): Promise<Input[]> {
  const place = s3Place(address, environment)
  const outputs = prefixesIn(place.bucket, outputFolders)
  const { root, entries } = await entriesOf(address, place, outputs)
  return entries.map((entry) => inputOf(place, root, entry, fromFormat))
}

/** The outputs of the same bucket, as what their keys begin with. */
function prefixesIn(bucket: string, outputFolders: readonly string[]): string[] {
  const places = outputFolders.filter((folder) => isS3Address(folder) && isS3Folder(folder)).map(parseS3Address)
  return places.filter((place) => place.bucket === bucket).map(({ key }) => key)
}

function isBelow(key: string, prefix: string): boolean {
  return key.length > prefix.length && key.startsWith(prefix)
}

async function entriesOf(address: string, place: S3Place, outputs: readonly string[]): Promise<Found> {
  const bucket = await bucketToRead(place)
  const { key } = place
  if (isS3Folder(address)) return folderEntries(bucket, key, { address, outputs })
  const object = await patiently(() => bucket.stat(key), { hint })
  if (object) return { root: key.slice(0, key.lastIndexOf('/') + 1), entries: [object] }
  const { isDynamicPattern } = await import('tinyglobby')
  if (isDynamicPattern(key)) return matchingEntries(bucket, key, { address, outputs })
  return folderEntries(bucket, `${key}/`, { address, outputs })
}

/** What was typed, and the prefixes that receive results. */
interface Asked {
  readonly address: string
  readonly outputs: readonly string[]
}

async function folderEntries(bucket: S3Bucket, root: string, { address, outputs }: Asked): Promise<Found> {
  const all = await listed(bucket, root)
  if (all.length === 0) throw new DataError(`${address}: there is no such object or prefix`)
  const data = all.filter((entry) => isData(entry.key.slice(root.length)))
  const entries = withoutResults(data, ({ key }) => key, { root, outputs, isBelow })
  if (entries.length === 0) {
    throw new DataError(`${address}: no input files below this prefix`, { hint: `Read are ${knownSuffixes.input}.` })
  }
  return { root, entries }
}

async function matchingEntries(bucket: S3Bucket, pattern: string, { address, outputs }: Asked): Promise<Found> {
  const { default: picomatch } = await import('picomatch')
  const matches = picomatch(pattern)
  const start = pattern.includes('/') ? staticRoot(`/${pattern}`).slice(1) : ''
  const root = start === '' ? '' : `${start}/`
  const matching = (await listed(bucket, root)).filter(({ key }) => inputFormatOf(key) && matches(key))
  const entries = withoutResults(matching, ({ key }) => key, { root, outputs, isBelow })
  if (entries.length === 0) throw new DataError(`${address}: no object matches`)
  return { root, entries }
}

/** In the order in which files of the same names are read. Names that end with a slash stand for folders. */
async function listed(bucket: S3Bucket, prefix: string): Promise<S3Entry[]> {
  const entries = await patiently(
    async () => {
      const all: S3Entry[] = []
      for await (const entry of bucket.list(prefix)) if (!entry.key.endsWith('/')) all.push(entry)
      return all
    },
    { hint },
  )
  return entries.sort((a, b) => byCodeUnit(a.key, b.key))
}

function inputOf(
  place: S3Place,
  root: string,
  { key, size, etag }: S3Entry,
  fromFormat: InputFormat | undefined,
): Input {
  const named = inputFormatOf(key)
  const format = fromFormat ?? named?.format
  const address = addressOfPlace({ ...place, key })
  if (format === undefined) {
    throw new UsageError(`${address}: the name does not say its format`, {
      hint: `Known suffixes are ${knownSuffixes.input}; or say --from-format.`,
    })
  }
  const relativePath = key.slice(root.length)
  const relativeName = named ? relativePath.slice(0, -named.suffix.length) : relativePath
  return { spec: { kind: 's3', address, place: { ...place, key }, format, size, etag }, relativeName, relativePath }
}
