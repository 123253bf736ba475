// A .tar.gz from anywhere → the files of one model. Nothing in it decides where anything is written.
import { createReadStream } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { createGunzip } from 'node:zlib'
import type { Parser as TarParser, ReadEntry } from 'tar'
import { LcclfError, messageOf, ModelError, ServiceError, systemCode } from '../../errors.ts'
import { profileFile } from '../../model/bundle/input-profile.ts'

/** How much an archive may unpack to. */
interface UnpackLimits {
  readonly bytes: number
  /** times its own size, once it has unpacked to `ratioFrom` bytes */
  readonly ratio: number
  readonly ratioFrom: number
  readonly entries: number
}

const usualLimits: UnpackLimits = { bytes: 8_000_000_000, ratio: 200, ratioFrom: 100_000_000, entries: 1000 }

const textFiles = new Set(['manifest.json', profileFile])

/**
 * Unpacks the files of a model: `manifest.json`, `profile.json`, `*.arrow`, `*.onnx`, `*.pkl`, which must lie in one folder of the
 * archive, into a folder of ours. Other files are passed over; links, devices and paths that lead elsewhere are not,
 * they are refused with the whole archive.
 *
 * @param target is made anew
 * @param label how messages call the archive
 * @throws ModelError naming the entry that is refused, or the limit
 */
export async function unpackModel(
  archive: string,
  target: string,
  label: string,
  limits: UnpackLimits = usualLimits,
): Promise<'bundle' | 'pickles'> {
  await rm(target, { recursive: true, force: true })
  await mkdir(target)
  const chooser = createChooser(label, limits)
  try {
    await unpack(archive, { target, label, limits, chooser })
    return chooser.kind()
  } catch (cause) {
    await rm(target, { recursive: true, force: true })
    throw asUnpackError(cause, label, target)
  }
}

interface Unpacking {
  readonly target: string
  readonly label: string
  readonly limits: UnpackLimits
  readonly chooser: EntryChooser
}

async function unpack(archive: string, { target, label, limits, chooser }: Unpacking): Promise<void> {
  const { Parser } = await import('tar')
  const packed = (await stat(archive)).size
  const source = createReadStream(archive)
  const plain = source.pipe(createGunzip())
  source.on('error', (error) => plain.destroy(error))
  const writes: Promise<void>[] = []
  let failure: Error | undefined
  const fail = (error: unknown): void => {
    failure ??= error instanceof Error ? error : new Error(String(error))
    plain.destroy(failure)
  }
  const parser = new Parser({
    strict: true,
    onReadEntry(entry) {
      try {
        const name = chooser.choose(entry)
        if (name === null) return void entry.resume()
        // wx: a file that is there twice is refused, not overwritten
        const written = writeFile(join(target, name), entry as AsyncIterable<Buffer>, { flag: 'wx', flush: true })
        writes.push(written.catch(fail))
      } catch (error) {
        entry.resume()
        fail(error)
      }
    },
  })
  parser.on('error', fail)
  let size = 0
  try {
    for await (const chunk of plain as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > limits.bytes) throw tooLarge(label, `more than ${limits.bytes} bytes`)
      if (size > limits.ratioFrom && size > packed * limits.ratio) {
        throw tooLarge(label, `more than ${limits.ratio} times its own size`)
      }
      if (!parser.write(chunk)) await drained(parser, () => failure)
      if (failure) throw failure
    }
    await ended(parser, () => failure)
    await Promise.all(writes)
    if (failure) throw failure
  } finally {
    source.destroy()
    plain.destroy()
  }
}

/** Waits until more may be written, or something has failed. */
function drained(parser: TarParser, failed: () => Error | undefined): Promise<void> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      if (failed()) done()
    }, 50)
    const done = (): void => {
      clearInterval(look)
      parser.off('drain', done)
      resolve()
    }
    parser.once('drain', done)
  })
}

function ended(parser: TarParser, failed: () => Error | undefined): Promise<void> {
  return new Promise((resolve) => {
    const look = setInterval(() => {
      if (failed()) done()
    }, 50)
    const done = (): void => {
      clearInterval(look)
      resolve()
    }
    parser.once('end', done)
    parser.end()
  })
}

interface EntryChooser {
  /** the name of a file that is wanted, null for one that is passed over */
  choose(entry: ReadEntry): string | null
  /** what the chosen files are, all together */
  kind(): 'bundle' | 'pickles'
}

function createChooser(label: string, limits: UnpackLimits): EntryChooser {
  const names: string[] = []
  let folder: string | undefined
  let entries = 0
  let bytes = 0
  return {
    choose({ path, type, size }) {
      const refuse = (why: string): ModelError =>
        new ModelError(`${label}: ${JSON.stringify(path)} ${why}`, { hint: 'Nothing of this archive is used.' })
      if (++entries > limits.entries) throw tooLarge(label, `more than ${limits.entries} entries`)
      const isElsewhere = /^[/\\]|^[A-Za-z]:|\\|[\0-\x1f]/.test(path) || path.split('/').includes('..')
      if (isElsewhere) throw refuse('leads out of the archive’s folder')
      if (type === 'Directory' || type === 'GNUDumpDir') return null
      if (type !== 'File' && type !== 'OldFile' && type !== 'ContiguousFile') throw refuse(`is no file but a ${type}`)
      bytes += size
      if (bytes > limits.bytes) throw tooLarge(label, `more than ${limits.bytes} bytes`)
      const name = posix.basename(path)
      if (!/^[A-Za-z0-9][A-Za-z0-9._+-]*\.(arrow|onnx|pkl)$/.test(name) && !textFiles.has(name)) return null
      const parent = posix.dirname(posix.normalize(path))
      folder ??= parent
      if (parent !== folder) throw refuse(`is in another folder than ${names[0]}: one archive, one model`)
      if (names.includes(name)) throw refuse('is there twice')
      names.push(name)
      return name
    },
    kind() {
      if (names.includes('manifest.json')) return 'bundle'
      if (names.some((name) => name.endsWith('.pkl'))) return 'pickles'
      throw new ModelError(`${label}: holds no model (no manifest.json and no pickles)`)
    },
  }
}

function tooLarge(label: string, what: string): ModelError {
  return new ModelError(`${label}: unpacks to ${what}, which no model does`, {
    hint: 'Nothing of this archive is used.',
  })
}

function asUnpackError(cause: unknown, label: string, target: string): Error {
  if (cause instanceof LcclfError) return cause
  const code = systemCode(cause) ?? ''
  if (code.startsWith('Z_') || code.startsWith('TAR_') || code.startsWith('ERR_')) {
    return new ModelError(`${label}: is no whole .tar.gz (${messageOf(cause)})`, {
      cause,
      hint: 'The file was changed or damaged: ask whoever publishes it.',
    })
  }
  return new ServiceError(`${target}: cannot be written (${code === '' ? messageOf(cause) : code})`, {
    cause,
    hint: 'Is there room on the disk, and may you write there?',
  })
}
