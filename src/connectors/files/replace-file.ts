// A file that appears whole or not at all: written beside its name, made safe, then published in one step.
import { randomBytes } from 'node:crypto'
import { link, lstat, open, realpath, rename, stat, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { systemCode, UsageError } from '../../errors.ts'
import type { ByteOutput } from './byte-output.ts'
import { openFailure, writeFailure } from './write-failure.ts'

/** A file to write. */
export interface ReplacementOptions {
  readonly path: string
  /** as the user wrote it: the name in every message */
  readonly address: string
  readonly overwrite: boolean
  /** hard links are how an existing file is never replaced by mistake; some file systems have none */
  readonly makeLink?: (existing: string, name: string) => Promise<void>
}

// links cannot be made here; what has the name already is told apart by EEXIST
const withoutLinks = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EXDEV', 'EACCES'])
// a folder that cannot be synced (some network file systems, Windows) is no reason to fail: the file itself is safe
const withoutFolderSync = new Set(['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EISDIR', 'EPERM', 'EACCES', 'EBADF'])
const longestNameKept = 100

/**
 * Begins the file `.<name>.<pid>-<random>.partial` in the folder of `path`.
 *
 * @throws UsageError for a name that is taken (without `overwrite`), a folder, a device, a folder that is missing or closed;
 *   ServiceError where the disk is full
 */
export async function openReplacement(options: ReplacementOptions): Promise<ByteOutput> {
  const { address, overwrite, makeLink = link } = options
  const target = await checkedTarget(options)
  const folder = dirname(target)
  const partial = join(folder, partialName(basename(target)))
  let handle: FileHandle | undefined
  try {
    handle = await open(partial, 'wx')
  } catch (error) {
    throw openFailure(address, dirname(options.path), error)
  }
  let isPartialLeft = true

  async function discard(): Promise<void> {
    const opened = handle
    handle = undefined
    // what is thrown away may fail to close
    await opened?.close().catch(() => undefined)
    if (!isPartialLeft) return
    isPartialLeft = false
    await unlink(partial).catch(() => undefined)
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
    await syncFolder(folder)
  }

  return {
    write: (bytes) => orDiscard((opened) => opened.writeFile(bytes)),
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

/** The file that will carry the name: the one a symbolic link points to, so that the link stays one. */
async function checkedTarget({ path, address, overwrite }: ReplacementOptions): Promise<string> {
  try {
    await lstat(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return resolve(path)
    throw openFailure(address, dirname(path), error)
  }
  const existing = await stat(path).catch(() => undefined)
  if (existing?.isDirectory())
    throw new UsageError(`cannot write ${address}: it is a folder`, { hint: 'give the name of a file in it' })
  if (existing && !existing.isFile())
    throw new UsageError(`cannot write ${address}: it is a device, a pipe or a socket, not a file`, {
      hint: 'results go to a pipe by --to - (and --to-format)',
    })
  if (!overwrite) throw alreadyThere(address)
  return existing ? await realpath(path) : resolve(path)
}

function alreadyThere(address: string): UsageError {
  return new UsageError(`${address} exists already`, { hint: 'replace it with --overwrite, or choose another name' })
}

function partialName(name: string): string {
  // a long name plus ours could be longer than a file's name may be
  const kept = [...name].slice(0, longestNameKept / 2).join('')
  return `.${name.length <= longestNameKept ? name : kept}.${process.pid}-${randomBytes(4).toString('hex')}.partial`
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

async function syncFolder(folder: string): Promise<void> {
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
