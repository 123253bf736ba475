// A file of a model, whatever it is called: opened, recognised by its content, unpacked, its checksum worked out meanwhile.
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { messageOf, ModelError, systemCode } from '../../errors.ts'
import { packingOf } from '../../formats/unpack.ts'
import type { FileDigest } from '../bundle/manifest.ts'
import { workerBeside } from '../../worker-file.ts'
import { startWorkers } from '../forest/worker-pool.ts'
import { type ByteSource, fileSource } from './byte-source.ts'
import { unpackFile } from './unpacked-source.ts'

/** What the content is: a pickle (joblib's files too), or a file that a library of boosters wrote. */
type ContentForm = 'pickle' | 'xgboost' | 'lightgbm'

export interface ModelFile {
  /** the file's name, for messages */
  readonly label: string
  readonly path: string
  readonly form: ContentForm
  /** the content, unpacked; can be read until the file is closed */
  readonly content: ByteSource
  /** of the file as it lies there; throws ModelError where it was changed since it was opened */
  digest(): Promise<FileDigest>
  close(): Promise<void>
}

/** what is hashed on the way, without a thread of its own */
const smallFile = 32 * 1024 * 1024

/**
 * Opens a file.
 *
 * @throws ModelError for a file that cannot be read, is damaged, or is of a kind that holds no model lcclf reads
 */
export async function openModelFile(path: string): Promise<ModelFile> {
  const label = basename(path)
  const handle = await openFile(path)
  try {
    const { size, mtimeMs } = await handle.stat()
    if (size === 0) throw new ModelError(`${label}: is empty`)
    const hash = startHash(path, size)
    const { content, form, close } = await contentOf(handle, { path, label, size })
    const isSame = async () => {
      const now = await handle.stat()
      return now.size === size && now.mtimeMs === mtimeMs
    }
    return {
      label,
      path,
      form,
      content,
      async digest() {
        const sha256 = await hash
        if (await isSame()) return { file: label, sha256, size }
        throw new ModelError(`${path}: changed while it was read`)
      },
      async close() {
        close()
        await handle.close()
      },
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

async function openFile(path: string): Promise<FileHandle> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path)
    if ((await handle.stat()).isFile()) return handle
  } catch (cause) {
    await handle?.close()
    throw new ModelError(`${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
  await handle.close()
  throw new ModelError(`${path}: not a file`)
}

/** Begins to work out the sha256; a large file in a thread of its own. */
function startHash(path: string, size: number): Promise<string> {
  const hash = size > smallFile ? hashInThread(path) : hashOf(path)
  // a failure is told to whoever asks for the digest
  hash.catch(() => undefined)
  return hash
}

async function hashInThread(path: string): Promise<string> {
  const threads = startWorkers<null, string, string>(workerBeside(import.meta.url, 'digest-worker'), 1)
  try {
    await threads.prepare(() => null)
    return await threads.run(path, [])
  } finally {
    await threads.close()
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  const handle = await open(path)
  try {
    return hash.update(await handle.readFile()).digest('hex')
  } finally {
    await handle.close()
  }
}

async function contentOf(handle: FileHandle, { path, label, size }: { path: string; label: string; size: number }) {
  const plain = fileSource(handle.fd, size, label)
  const packing = packingOf(headOf(plain))
  if (packing === undefined) return { content: plain, form: formOf(plain, label), close: () => undefined }
  const unpacked = await unpackFile({ path, size, packing, label })
  try {
    return { content: unpacked, form: formOf(unpacked, label), close: () => unpacked.close() }
  } catch (error) {
    unpacked.close()
    throw error
  }
}

// What the content is.

const otherHint =
  'Load the model in Python, save its classifier with pickle or joblib (a neural network as ONNX), and import that file.'
const packedHint = 'Unpack it first.'

/** The first bytes of what people take for models, and which we do not read. */
const otherKinds: readonly (readonly [string, readonly number[], string])[] = [
  ['is compressed with LZMA', [0x5d, 0x00, 0x00], 'Unpack it first, or compress it with xz.'],
  ['is compressed with Zstandard', [0x28, 0xb5, 0x2f, 0xfd], packedHint],
  ['is a zip archive (a skops, npz or PyTorch file?)', [0x50, 0x4b, 0x03, 0x04], otherHint],
  ['is an HDF5 file', [0x89, 0x48, 0x44, 0x46], otherHint],
  ['is a web page', [0x3c], 'The download failed and left its error message: download the file again.'],
  ['is a Git LFS pointer', [...Buffer.from('version https://git-lfs')], 'Fetch the file itself with git lfs pull.'],
  [
    'is a model in the binary form that XGBoost no longer reads',
    [...Buffer.from('binf')],
    'Write it again with the XGBoost that wrote it: booster.save_model("model.json").',
  ],
]

const headSize = 64

function headOf(content: ByteSource): Buffer {
  return content.read(0, Math.min(headSize, content.size))
}

function formOf(content: ByteSource, label: string): ContentForm {
  const head = headOf(content)
  if (packingOf(head) !== undefined) throw new ModelError(`${label}: is compressed twice`, { hint: packedHint })
  const other = otherKinds.find(([, magic]) => magic.every((byte, index) => head[index] === byte))
  if (other) throw new ModelError(`${label}: ${other[0]}, where a model is needed`, { hint: other[2] })
  // JSON, or its binary form UBJSON: both begin an object like this, and no pickle does
  if (/^\s*\{/.test(head.toString('latin1'))) return 'xgboost'
  return head.toString('latin1').startsWith('tree\n') ? 'lightgbm' : 'pickle'
}
