// Files of models, recognised by what is in them, and what keeps a small file from filling a disk.
import { readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { openModelFile } from '../../../src/model/container/model-file.ts'
import { unpackFile } from '../../../src/model/container/unpacked-source.ts'
import { packedFixture } from '../../support/models-of-today.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

function fileOf(bytes: Uint8Array, name = 'model.sav'): string {
  const path = join(temporaryFolder(), name)
  writeFileSync(path, bytes)
  return path
}

async function contentOf(bytes: Uint8Array): Promise<{ form: string; content: Buffer }> {
  const file = await openModelFile(fileOf(bytes))
  try {
    const { form, content } = file
    return { form, content: content.read(0, content.size) }
  } finally {
    await file.digest()
    await file.close()
  }
}

const plain = packedFixture('joblib/plain.joblib')

describe('a file', () => {
  it.each(['zlib', 'gzip', 'bz2', 'xz', 'lz4'])('of joblib with %s has the content of the plain one', async (name) => {
    expect((await contentOf(packedFixture(`joblib/${name}.joblib`))).content).toEqual(plain)
  })

  it('that was packed in pieces is unpacked whole: gzip members and LZ4 frames one after the other', async () => {
    const [first, rest] = [plain.subarray(0, 1000), plain.subarray(1000)]
    expect((await contentOf(Buffer.concat([gzipSync(first), gzipSync(rest)]))).content).toEqual(plain)
    const lz4 = packedFixture('joblib/lz4.joblib')
    expect((await contentOf(Buffer.concat([lz4, lz4]))).content).toEqual(Buffer.concat([plain, plain]))
  })

  it('is a pickle, or what a library of boosters wrote', async () => {
    const form = async (text: string) => (await contentOf(Buffer.from(text, 'latin1'))).form
    expect(await form('\x80\x04N.')).toBe('pickle')
    expect(await form('(K\x01t.')).toBe('pickle')
    expect(await form('\n  {"learner": {}}')).toBe('xgboost')
    expect(await form('{L\x00\x00\x00\x00\x00\x00\x00\x07learner')).toBe('xgboost')
    expect(await form('tree\nversion=v4\n')).toBe('lightgbm')
    expect((await contentOf(gzipSync('{"learner": {}}'))).form).toBe('xgboost')
  })

  it('has the checksum of what lies there, not of what is in it, and must not change meanwhile', async () => {
    const packed = gzipSync(plain)
    const path = fileOf(packed, 'a.joblib')
    const file = await openModelFile(path)
    expect(await file.digest()).toMatchObject({ file: 'a.joblib', size: packed.length })
    writeFileSync(path, 'another')
    await expect(file.digest()).rejects.toThrow('changed while it was read')
    await file.close()
  })
})

describe('what a file unpacks to', () => {
  const temporary = temporaryFolder()
  const limits = { bytes: 1_000_000, ratio: 50, ratioFrom: 100_000, memory: 20_000 }
  const label = 'bomb'
  const left = () => readdirSync(temporary).filter((name) => name.startsWith('lcclf-unpacked-'))
  const unpack = (bytes: Uint8Array, packing: 'gzip' | 'zlib' = 'gzip') =>
    unpackFile({ path: fileOf(bytes), size: bytes.length, packing, label }, limits)

  afterEach(() => {
    vi.unstubAllEnvs()
    expect(left()).toEqual([])
  })

  it('is in memory while it is small, else in a temporary file that goes away', async () => {
    vi.stubEnv('TMPDIR', temporary)
    expect(tmpdir()).toBe(temporary)
    const large = Buffer.concat(Array.from({ length: 15 }, () => plain))
    const source = await unpack(gzipSync(large, { level: 0 }))
    expect(left()).toHaveLength(1)
    expect(source.read(0, source.size)).toEqual(large)
    expect(source.read(4900, 7)).toEqual(large.subarray(4900, 4907))
    source.close()
  })

  it.each([
    ['more than so many times its own size', Buffer.alloc(200_000), 'unpacks to more than 50 times its own size'],
    ['more than any model', Buffer.alloc(1_200_000), 'more than 1000000 bytes', 0],
  ])('is not %s', async (_, bytes, message, level = 9) => {
    vi.stubEnv('TMPDIR', temporary)
    const refused = unpack(deflateSync(bytes, { level: Number(level) }), 'zlib')
    await expect(refused).rejects.toThrow(ModelError)
    await expect(refused).rejects.toThrow(message)
  })

  it('is nothing where the file is cut off', async () => {
    vi.stubEnv('TMPDIR', temporary)
    const cut = gzipSync(Buffer.concat(Array.from({ length: 15 }, () => plain)), { level: 0 }).subarray(0, 60_000)
    await expect(unpack(cut)).rejects.toThrow('bomb: is compressed with gzip, and damaged or cut off')
  })

  it.each(['bz2', 'xz', 'lz4', 'zlib'])('is nothing of a bomb of %s', async (name) => {
    const packed = packedFixture(`joblib/${name}.joblib`)
    const packing = ({ bz2: 'bzip2', xz: 'xz', lz4: 'LZ4', zlib: 'zlib' } as const)[name as 'bz2']
    const tight = { ...limits, ratio: 2, ratioFrom: 1000 }
    await expect(unpackFile({ path: fileOf(packed), size: 1000, packing, label }, tight)).rejects.toThrow(
      'unpacks to more than 2 times its own size',
    )
  })
})
