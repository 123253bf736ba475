// A .tar.gz from anywhere → the files of one model. Nothing in it decides where anything is written.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import type { ReadEntry } from 'tar'
import { LcclfError, messageOf, ModelError, systemCode, writeFailure } from '../../errors.ts'
import { type ByteReader, createByteReader } from '../../formats/chunks.ts'
import { profileFile } from '../../model/bundle/input-profile.ts'

/** How much an archive may unpack to; `ratio`: times its own size, once it has unpacked to `ratioFrom` bytes. */
const usualLimits = { bytes: 8_000_000_000, ratio: 200, ratioFrom: 100_000_000, entries: 1000 }
type UnpackLimits = typeof usualLimits

const textFiles = new Set(['manifest.json', profileFile])
const nothingUsed = 'Nothing of this archive is used.'

/**
 * Unpacks the files of a model, which must lie in one folder of the archive (`manifest.json`, `profile.json`, `*.arrow`,
 * `*.onnx`, `*.pkl`, `*.joblib`), into a folder of ours. Other files are skipped; links, devices and paths that lead elsewhere are
 * refused with the whole archive.
 *
 * @param target is made anew
 * @param label names the archive in messages
 * @throws ModelError naming the entry that is refused, or the limit
 */
export async function unpackModel(
  archive: string,
  target: string,
  label: string,
  limits = usualLimits,
): Promise<'bundle' | 'pickles'> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target)
  try {
    const names: string[] = []
    await unpack(archive, { target, label, limits, choose: entryChooser(names, label, limits) })
    if (names.includes('manifest.json')) return 'bundle'
    if (names.some((name) => /\.(pkl|joblib)$/.test(name))) return 'pickles'
    throw new ModelError(`${label}: holds no model (no manifest.json and no pickles)`)
  } catch (cause) {
    await rm(target, { recursive: true, force: true })
    const isDamaged = /^(Z|TAR|ERR)_/.test(systemCode(cause) ?? '')
    if (cause instanceof LcclfError || !isDamaged) throw writeFailure(target, cause)
    throw new ModelError(`${label}: not a complete .tar.gz (${messageOf(cause)})`, {
      cause,
      hint: 'The file was changed or damaged: ask its publisher.',
    })
  }
}

async function unpack(
  archive: string,
  options: { target: string; label: string; limits: UnpackLimits; choose: (entry: ReadEntry) => string | null },
): Promise<void> {
  const { target, label, limits, choose } = options
  const { Parser } = await import('tar')
  const packed = (await stat(archive)).size
  const plain = pipeline(createReadStream(archive), createGunzip(), () => undefined)
  const writes: Promise<void>[] = []
  let reject: ((error: unknown) => void) | undefined
  // an entry that cannot be written is never read to its end, so that the parser would be waited for in vain
  const failed = new Promise<never>((_, rejectIt) => (reject = rejectIt))
  failed.catch(() => undefined)
  const fail = (error: unknown): void => {
    reject?.(error)
    plain.destroy(error as Error)
  }
  let isOver = false
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      // entries that waited for the one before them still come after a failure
      if (isOver) return void entry.resume()
      try {
        const name = choose(entry)
        if (name === null) return void entry.resume()
        // wx: a file that is there twice is refused, not overwritten
        const written = writeFile(join(target, name), until(failed, entry), { flag: 'wx', flush: true })
        written.catch(fail)
        writes.push(written)
      } catch (error) {
        entry.resume()
        fail(error)
      }
    },
  })
  parser.on('error', fail)
  const bytes = createByteReader(plain)
  try {
    await refusePackedTwice(bytes, label)
    let size = 0
    for await (const chunk of bytes.rest()) {
      size += chunk.length
      if (size > limits.bytes) throw tooLarge(label, `more than ${limits.bytes} bytes`)
      if (size > limits.ratioFrom && size > packed * limits.ratio) {
        throw tooLarge(label, `more than ${limits.ratio} times its own size`)
      }
      if (!parser.write(chunk)) await Promise.race([once(parser, 'drain'), failed])
    }
    const ended = once(parser, 'end')
    parser.end()
    await Promise.race([ended, failed])
    await Promise.all(writes)
  } finally {
    // a file that is still written would come back after its folder was removed
    isOver = true
    reject?.(new Error('given up'))
    await Promise.allSettled([...writes, bytes.close()])
  }
}

/** What an entry holds; an entry that is not read to its end waits for ever. */
async function* until(failed: Promise<never>, entry: ReadEntry): AsyncGenerator<Buffer, void, undefined> {
  const chunks = entry[Symbol.asyncIterator]()
  for (;;) {
    const { done, value } = await Promise.race([chunks.next(), failed])
    if (done === true) return
    yield value
  }
}

const gzipMagic = Buffer.from([0x1f, 0x8b])
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** The parser would unpack what is inside as well, and nobody would count its bytes. */
async function refusePackedTwice(bytes: ByteReader, label: string): Promise<void> {
  const head = await bytes.read(zstdMagic.length)
  bytes.unread(head)
  if (!head.subarray(0, gzipMagic.length).equals(gzipMagic) && !head.equals(zstdMagic)) return
  throw new ModelError(`${label}: is compressed twice, which no .tar.gz of a model is`, { hint: nothingUsed })
}

/** Answers the name of a file that is wanted and adds it to `names`; null for one that is skipped. */
function entryChooser(names: string[], label: string, limits: UnpackLimits) {
  let folder: string | undefined
  let entries = 0
  let bytes = 0
  return ({ path, type, size }: ReadEntry): string | null => {
    const refuse = (why: string): ModelError =>
      new ModelError(`${label}: ${JSON.stringify(path)} ${why}`, { hint: nothingUsed })
    if (++entries > limits.entries) throw tooLarge(label, `more than ${limits.entries} entries`)
    const isElsewhere = /^[/\\]|^[A-Za-z]:|\\|[\0-\x1f]/.test(path) || path.split('/').includes('..')
    if (isElsewhere) throw refuse('leads out of the archive’s folder')
    if (type === 'Directory' || type === 'GNUDumpDir') return null
    if (type !== 'File' && type !== 'OldFile' && type !== 'ContiguousFile') throw refuse(`is a ${type}, not a file`)
    bytes += size
    if (bytes > limits.bytes) throw tooLarge(label, `more than ${limits.bytes} bytes`)
    const name = posix.basename(path)
    if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*\.(arrow|onnx|pkl|joblib)$/.test(name) && !textFiles.has(name)) return null
    const parent = posix.dirname(posix.normalize(path))
    folder ??= parent
    if (parent !== folder) throw refuse(`is in another folder than ${names[0]}: one archive, one model`)
    if (names.includes(name)) throw refuse('is there twice')
    names.push(name)
    return name
  }
}

function tooLarge(label: string, what: string): ModelError {
  return new ModelError(`${label}: unpacks to ${what}, more than any model needs`, { hint: nothingUsed })
}
