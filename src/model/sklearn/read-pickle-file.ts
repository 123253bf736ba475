// A file on disk → what its pickle holds, with a word of help where it is no pickle.
import { basename } from 'node:path'
import { ModelError } from '../../errors.ts'
import type { FileDigest } from '../bundle/manifest.ts'
import { readDigested } from '../bundle/read-bundle.ts'
import { unpickle } from './pickle/unpickle.ts'
import type { PyValue } from './pickle/values.ts'

const unpackHint =
  'Unpack it first. A model saved with joblib: pickle.dump(joblib.load(old), open(new, "wb")) in Python.'
const otherHint = 'This is what the file looks like, whatever its name says.'

/** The first bytes of what people take for pickles. */
const otherKinds: readonly (readonly [string, readonly number[], string])[] = [
  ['is compressed with gzip', [0x1f, 0x8b], unpackHint],
  ['is compressed with zlib', [0x78, 0x01], unpackHint],
  ['is compressed with zlib', [0x78, 0x5e], unpackHint],
  ['is compressed with zlib', [0x78, 0x9c], unpackHint],
  ['is compressed with zlib', [0x78, 0xda], unpackHint],
  ['is compressed with bzip2', [0x42, 0x5a, 0x68], unpackHint],
  ['is compressed with xz', [0xfd, 0x37, 0x7a, 0x58], unpackHint],
  ['is compressed with LZMA', [0x5d, 0x00, 0x00], unpackHint],
  ['is compressed with LZ4', [0x04, 0x22, 0x4d, 0x18], unpackHint],
  ['is compressed with Zstandard', [0x28, 0xb5, 0x2f, 0xfd], unpackHint],
  ['is a zip archive (a skops, npz or PyTorch file?)', [0x50, 0x4b, 0x03, 0x04], otherHint],
  ['is an HDF5 file', [0x89, 0x48, 0x44, 0x46], otherHint],
  ['is a web page', [0x3c], 'The download failed and left its error message: download the file again.'],
  ['is a Git LFS pointer', [...Buffer.from('version https://git-lfs')], 'Fetch the file itself with git lfs pull.'],
]

/**
 * Reads one pickle file. Its value keeps the file's bytes alive.
 *
 * @throws ModelError for a file of another kind, a broken one, and one that would have to call what it must not
 */
export async function readPickleFile(
  path: string,
  onBytes: (done: number, total: number) => void = () => undefined,
): Promise<{ value: PyValue; digest: FileDigest }> {
  const { bytes, digest } = await readDigested(path, { onBytes })
  const label = basename(path)
  if (bytes.length === 0) throw new ModelError(`${label}: is empty`)
  const other = otherKinds.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))
  if (other) throw new ModelError(`${label}: ${other[0]}, where a pickle is needed`, { hint: other[2] })
  return { value: unpickle(bytes, label), digest }
}
