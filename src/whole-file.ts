// A file that appears whole or not at all: written beside its name, made safe, then published in one step.
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  rename,
  rmdir,
  stat,
  unlink,
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError, writeFailure } from './errors.ts'
import { leftBehind, ownerMark } from './owner.ts'

/** What was written, to be recognised by: a file by its bytes, an object by the ETag that its store gave it. */
export interface Written {
  /** in bytes */
  readonly size: number
  readonly sha256?: string | undefined
  /** without the quotes of the header; null where the store gives none */
  readonly etag?: string | null | undefined
}

/** One stream of bytes; every call waits for the one before. */
export interface ByteOutput {
  /** true once nobody reads any more: what is written then is dropped */
  readonly isGone?: boolean
  /** what stands there, once it is published; undefined before, and where nobody can look again */
  readonly written?: Written | undefined
  /** Resolves when the system has taken the bytes; that is the back-pressure. */
  write(bytes: Uint8Array): Promise<void>
  /** Everything is written and safe, but not yet under its name. */
  finish(): Promise<void>
  publish(): Promise<void>
  /** Harmless twice; without `publish` nothing is left behind. */
  close(): Promise<void>
}

// links cannot be made here; what has the name already is told apart by EEXIST
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'])
// a folder that cannot be synced (some network file systems, Windows) is no reason to fail: the file itself is safe
const withoutFolderSync = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EPERM', 'EACCES', 'EBADF'])
/** bytes; a file's name may have 255, and ours adds some 40 */
const longestNameKept = 200

/**
 * Begins the file `.<name>.<pid>-<machine and random digits>.partial` in the folder of `path`, which is made if it is not
 * there, and removes those that processes left which were killed while they wrote the same.
 *
 * @throws UsageError for a name that is taken (without `overwrite`), a folder, a device, a folder that is closed;
 *   ServiceError where the folder cannot be made, or the disk is full
 */
export async function openReplacement({
  path,
  address,
  overwrite,
  makeLink = link,
}: {
  readonly path: string
  /** as the user wrote it: the name in every message */
  readonly address: string
  readonly overwrite: boolean
  /** hard links are how an existing file is never replaced by mistake; some file systems have none */
  readonly makeLink?: (existing: string, name: string) => Promise<void>
}): Promise<ByteOutput> {
  const made = await makeFolder(dirname(path), address)
  const unmake = (): Promise<void> => removeEmpty(dirname(path), made)
  const { target, folder, partial, ...begun } = await beginPartial(path, address, overwrite).catch(
    async (error: unknown) => {
      await unmake()
      throw error
    },
  )
  let handle: FileHandle | undefined = begun.handle
  let isPartialLeft = true
  let size = 0
  const hash = createHash('sha256')
  let written: Written | undefined

  async function discard(): Promise<void> {
    const opened = handle
    handle = undefined
    // what is thrown away may fail to close
    await opened?.close().catch(() => undefined)
    if (!isPartialLeft) return
    isPartialLeft = false
    await unlink(partial).catch(() => undefined)
    await unmake()
  }

  /** A disk that is full is given back its space at once: the rest of the run may need it. */
  async function orDiscard(work: (opened: FileHandle) => Promise<void>): Promise<void> {
    if (!handle) throw writeFailure(address, new Error('it was closed before'))
    try {
      await work(handle)
    } catch (error) {
      await discard()
      throw writeFailure(address, error)
    }
  }

  async function publish(): Promise<void> {
    if (handle || !isPartialLeft) throw new Error(`${address} is published before it was finished`)
    try {
      if (overwrite) await rename(partial, target)
      else await publishAsNew(partial, target, address, makeLink)
    } catch (error) {
      throw writeFailure(address, error)
    }
    isPartialLeft = false
    written = { size, sha256: hash.digest('hex') }
    await syncFolder(folder)
  }

  return {
    get written() {
      return written
    },
    write: (bytes) =>
      orDiscard(async (opened) => {
        await opened.writeFile(bytes)
        size += bytes.length
        hash.update(bytes)
      }),
    finish: () =>
      orDiscard(async (opened) => {
        await opened.sync()
        handle = undefined
        await opened.close()
      }),
    publish,
    close: discard,
  }
}

async function beginPartial(path: string, address: string, overwrite: boolean) {
  const target = await checkedTarget(path, address, overwrite)
  const folder = dirname(target)
  await removeAbandoned(target)
  const partial = join(
    folder,
    `${partialPrefix(target)}${ownerMark()}${randomBytes(4).toString('hex')}${partialSuffix}`,
  )
  const handle = await open(partial, 'wx').catch((error: unknown) => {
    throw openFailure(address, dirname(path), error)
  })
  return { target, folder, partial, handle }
}

/**
 * Makes a folder, and those above it, for a file that is to be written there.
 *
 * @returns the outermost that was made, undefined where all were there
 * @throws ServiceError where that is not allowed or fails; UsageError where a file has the name
 */
export async function makeFolder(folder: string, address: string): Promise<string | undefined> {
  try {
    return await mkdir(folder, { recursive: true })
  } catch (cause) {
    const code = systemCode(cause) ?? ''
    if (!['EACCES', 'EPERM', 'EROFS'].includes(code)) throw openFailure(address, folder, cause)
    throw new ServiceError(`cannot write ${address}: no permission to make the folder ${folder}`, {
      hint: 'Write into a folder of your own, or ask for write permission.',
      cause,
    })
  }
}

/** Takes back folders that were made for nothing, as long as nobody has put anything there. */
async function removeEmpty(folder: string, outermost: string | undefined): Promise<void> {
  if (outermost === undefined) return
  for (let one = resolve(folder); one.length >= resolve(outermost).length; one = dirname(one)) {
    try {
      await rmdir(one)
    } catch {
      return
    }
  }
}

/** The file that will carry the name: the one a symbolic link points to, so that the link stays one. */
async function checkedTarget(path: string, address: string, overwrite: boolean): Promise<string> {
  try {
    await lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return resolve(path)
    throw openFailure(address, dirname(path), error)
  }
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isDirectory()) {
    throw new UsageError(`cannot write ${address}: it is a folder`, { hint: 'Give the name of a file in it.' })
  }
  if (existing && !existing.isFile()) {
    throw new UsageError(`cannot write ${address}: it is a device, a pipe or a socket, not a file`, {
      hint: 'Write to a pipe with --to - (and --to-format).',
    })
  }
  if (!overwrite) throw alreadyThere(address)
  return existing ? await realpath(path) : resolve(path)
}

/** The refusal of a name that is taken. */
export function alreadyThere(address: string): UsageError {
  return new UsageError(`${address} exists already`, { hint: 'Replace it with --overwrite, or choose another name.' })
}

const partialSuffix = '.partial'

/** How the partial files of a target begin. */
function partialPrefix(target: string): string {
  const name = basename(target)
  const isLong = Buffer.byteLength(name) > longestNameKept
  // a character takes up to four bytes
  return `.${isLong ? [...name].slice(0, longestNameKept / 4).join('') : name}.`
}

/** The partial files of a folder; a run may write thousands of files into it, and it is not listed for each. */
const listed = new Map<string, { readonly at: number; readonly names: Promise<string[]> }>()
const listedForMs = 30_000

/**
 * Removes the partial files of a target whose process has ended. What cannot be listed or removed stays: it is in nobody's
 * way.
 */
export async function removeAbandoned(target: string): Promise<void> {
  const folder = resolve(dirname(target))
  let known = listed.get(folder)
  if (!known || performance.now() - known.at > listedForMs) {
    const names = readdir(folder).catch(() => [])
    const ours = names.then((all) => all.filter((name) => name.startsWith('.') && name.endsWith(partialSuffix)))
    listed.set(folder, (known = { at: performance.now(), names: ours }))
  }
  for (const name of leftBehind(await known.names, partialPrefix(target))) {
    await unlink(join(folder, name)).catch(() => undefined)
  }
}

/** sha256 of a file's bytes, in hexadecimal digits; holds little of it in memory. Throws the system's error. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** Renaming replaces silently whatever appeared meanwhile; linking refuses. */
async function publishAsNew(
  partial: string,
  target: string,
  address: string,
  makeLink: (existing: string, name: string) => Promise<void>,
): Promise<void> {
  try {
    await makeLink(partial, target)
    await unlink(partial)
  } catch (error) {
    const code = systemCode(error)
    if (code === 'EEXIST') throw alreadyThere(address)
    if (code === undefined || !withoutLinks.has(code)) throw error
    await takeName(target, address)
    await rename(partial, target)
  }
}

/** Takes the name with an empty file of ours, which only the rename that follows replaces. */
async function takeName(target: string, address: string): Promise<void> {
  try {
    await (await open(target, 'wx')).close()
  } catch (error) {
    if (systemCode(error) === 'EEXIST') throw alreadyThere(address)
    throw error
  }
}

export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined || !withoutFolderSync.has(code)) throw writeFailure(folder, error)
  }
}

// What a failed write means to the person who asked for the file.

/** What the system says while bytes are written or made safe, and what to do. */
/** A failure to begin a file: the command line names a place that cannot be written. */
function openFailure(address: string, folder: string, thrown: unknown): LcclfError {
  if (thrown instanceof LcclfError) return thrown
  const refused = (why: string, hint: string): UsageError =>
    new UsageError(`cannot write ${address}: ${why}`, { hint, cause: thrown })
  switch (systemCode(thrown) ?? '') {
    case 'ENOTDIR':
    case 'EEXIST':
      return refused(`${folder} is not a folder`, 'Give the path of a file in a folder that exists.')
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return refused(
        `no permission to write into ${folder}`,
        'Write into a folder of your own, or ask for write permission.',
      )
    case 'ENAMETOOLONG':
    case 'ELOOP':
    case 'EINVAL':
      return refused(messageOf(thrown), 'Choose another name.')
    default:
      return writeFailure(address, thrown)
  }
}

/**
 * Writes a file in one go. It replaces what is there, unless `overwrite` is false.
 *
 * @param address the name in every message; the path unless given
 * @throws UsageError, ServiceError: as `openReplacement`, and `writeFailure` of whatever goes wrong later
 */
export async function writeWholeFile(
  path: string,
  bytes: Uint8Array | string,
  { address = path, overwrite = true }: { readonly address?: string; readonly overwrite?: boolean } = {},
): Promise<void> {
  const output = await openReplacement({ path, address, overwrite })
  try {
    await output.write(typeof bytes === 'string' ? Buffer.from(bytes) : bytes)
    await output.finish()
    await output.publish()
  } finally {
    await output.close()
  }
}
