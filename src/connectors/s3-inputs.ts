// s3:// addresses of inputs expanded: an object, everything below a prefix, or what a pattern matches.
import { DataError } from '../errors.ts'
import { patiently } from '../transfer/transient-error.ts'
import {
  byCodeUnit,
  type InputFormat,
  inputFormatOf,
  isData,
  isHidden,
  isReceipt,
  knownSuffixes,
  namedInput,
  otherFormatsNote,
  staticRoot,
  withoutResults,
} from './address.ts'
import { addressOfPlace, isS3Address, isS3Folder, parseS3Address, s3Place, type S3SourceSpec } from './s3/address.ts'
import { bucketToRead, type S3Bucket, type S3Entry } from './s3/bucket.ts'

const hint = 'Check that the service is up and that the endpoint (AWS_ENDPOINT_URL) is right.'

/**
 * The inputs an address names, by the rules for files: folders and patterns take known suffixes only, no names that begin
 * with `_` or `.`, and are sorted.
 *
 * @throws DataError where nothing is there; UsageError for a name that does not say its format; ServiceError for a service
 *   that refuses or is away
 */
export async function s3Inputs(
  address: string,
  options: {
    readonly fromFormat: InputFormat | undefined
    readonly outputFolders: readonly string[]
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly onNote?: (line: string) => void
  },
): Promise<{ spec: S3SourceSpec; relativeName: string; relativePath: string }[]> {
  const place = s3Place(address, options.environment)
  const folders = options.outputFolders.filter((folder) => isS3Address(folder) && isS3Folder(folder))
  const outputs = folders.map(parseS3Address).flatMap(({ bucket, key }) => (bucket === place.bucket ? [key] : []))
  const { root, entries, others = [] } = await entriesOf(address, place.key, await bucketToRead(place), outputs)
  const note = otherFormatsNote(others, address)
  if (note !== undefined) options.onNote?.(note)
  return entries.map(({ key, size, etag }) => {
    const object = { ...place, key }
    const shown = addressOfPlace(object)
    const { format, ...names } = namedInput(shown, key.slice(root.length), options.fromFormat)
    return { spec: { kind: 's3', address: shown, place: object, format, size, etag }, ...names }
  })
}

interface FoundEntries {
  /** what the names are relative to: a prefix that ends with a slash, or '' */
  readonly root: string
  readonly entries: readonly S3Entry[]
  /** names of other suffixes */
  readonly others?: readonly string[]
}

async function entriesOf(
  address: string,
  key: string,
  bucket: S3Bucket,
  outputs: readonly string[],
): Promise<FoundEntries> {
  if (!isS3Folder(address)) {
    const object = await patiently(() => bucket.stat(key), { hint })
    if (object) return { root: key.slice(0, key.lastIndexOf('/') + 1), entries: [object] }
    const { isDynamicPattern } = await import('tinyglobby')
    if (isDynamicPattern(key)) return matchingEntries(address, key, bucket, outputs)
  }
  const root = isS3Folder(address) ? key : `${key}/`
  const all = await listed(bucket, root)
  if (all.length === 0) throw new DataError(`${address}: there is no such object or prefix`)
  const data = all.filter((entry) => isData(entry.key.slice(root.length)))
  const entries = withoutResults(data, (entry) => entry.key, { root, outputs, isBelow })
  if (entries.length === 0) {
    throw new DataError(`${address}: no input files below this prefix`, { hint: `lcclf reads ${knownSuffixes.input}.` })
  }
  const isOther = (name: string): boolean => !isData(name) && !isHidden(name) && !isReceipt(name)
  return { root, entries, others: all.map((entry) => entry.key.slice(root.length)).filter(isOther) }
}

async function matchingEntries(address: string, pattern: string, bucket: S3Bucket, outputs: readonly string[]) {
  const { default: picomatch } = await import('picomatch')
  const matches = picomatch(pattern)
  const start = pattern.includes('/') ? staticRoot(`/${pattern}`).slice(1) : ''
  const root = start === '' ? '' : `${start}/`
  const all = (await listed(bucket, root)).filter(({ key }) => matches(key))
  const matching = all.filter(({ key }) => inputFormatOf(key))
  const entries = withoutResults(matching, ({ key }) => key, { root, outputs, isBelow })
  if (entries.length === 0) throw new DataError(`${address}: no object matches`)
  return { root, entries, others: all.map(({ key }) => key).filter((key) => !inputFormatOf(key) && !isReceipt(key)) }
}

function isBelow(key: string, prefix: string): boolean {
  return key.length > prefix.length && key.startsWith(prefix)
}

/** In the order in which files of the same names are read. Names that end with a slash stand for folders. */
async function listed(bucket: S3Bucket, prefix: string): Promise<S3Entry[]> {
  const list = async (): Promise<S3Entry[]> => {
    const all: S3Entry[] = []
    for await (const entry of bucket.list(prefix)) if (!entry.key.endsWith('/')) all.push(entry)
    return all
  }
  return (await patiently(list, { hint })).sort((a, b) => byCodeUnit(a.key, b.key))
}
