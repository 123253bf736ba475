// The files that a folder or a pattern stands for; what is there and cannot be read is found too.
import { readdir, realpath, stat } from 'node:fs'
import { extname, isAbsolute, join, normalize, relative, resolve } from 'node:path'
import type { GlobOptions } from 'tinyglobby'
import { systemCode } from '../../errors.ts'
import {
  byCodeUnit,
  inputFormatOf,
  isData,
  isHidden,
  isReceipt,
  skippedOutputs,
  staticRoot,
  withoutResults,
} from '../address.ts'

/** What a search has found. */
export interface FoundFiles {
  /** what the names of the files are relative to */
  readonly root: string
  /** known suffixes only, sorted, as they begin with what was asked for */
  readonly paths: readonly string[]
  /** folders that could not be looked into, and links that lead nowhere, each with the system's reason */
  readonly unreadable: readonly { readonly path: string; readonly cause: Error }[]
  /** files of other suffixes */
  readonly others: readonly string[]
}

/** Everything below a folder, but for the results that lie in one of the outputs. */
export async function filesIn(folder: string, outputs: readonly string[]): Promise<FoundFiles> {
  const { glob, escapePath } = await import('tinyglobby')
  const skipped = skippedOutputs({ root: folder, outputs, isBelow })
  const ignore = skipped.map((output) => `${escapePath(resolve(output))}/**`)
  const watched = watchedFileSystem()
  const all = await glob('**/*', { ...walk, cwd: folder, ignore, dot: true, fs: watched.fs })
  const failures = watched.failures.map(({ path, cause, isLink }) => ({ path: relative(folder, path), cause, isLink }))
  const visible = failures.filter(({ path }) => !isHidden(path))
  const unreadable = visible.filter(({ path, isLink }) => !isLink || mayBeInput(path))
  const lostOthers = visible.filter(({ path, isLink }) => isLink && !mayBeInput(path)).map(({ path }) => path)
  return {
    root: folder,
    paths: all
      .filter(isData)
      .sort(byCodeUnit)
      .map((path) => join(folder, path)),
    unreadable: unreadable.map(({ path, cause }) => ({ path: join(folder, path), cause })),
    others: [...all.filter((path) => !isData(path) && !isHidden(path) && !isReceipt(path)), ...lostOthers],
  }
}

/** The files that match a pattern. */
export async function filesMatching(pattern: string, outputs: readonly string[]): Promise<FoundFiles> {
  const [{ glob }, { default: picomatch }] = await Promise.all([import('tinyglobby'), import('picomatch')])
  const root = staticRoot(pattern)
  const watched = watchedFileSystem()
  const all = await glob(pattern, { ...walk, fs: watched.fs })
  const found = withoutResults(all, (one) => one, { root, outputs, isBelow })
  const matches = picomatch(normalize(pattern))
  const asAsked = (path: string): string => (isAbsolute(pattern) ? path : relative('.', path))
  const failures = watched.failures.map(({ path, ...rest }) => ({ path: asAsked(path), ...rest }))
  return {
    root,
    paths: found.filter((path) => inputFormatOf(path)).sort(byCodeUnit),
    unreadable: failures.filter(({ path, cause, isLink }) => {
      return isLink ? mayBeInput(path) && matches(path) : resolve(path) !== resolve(root) || !isAbsent(cause)
    }),
    others: found.filter((path) => !inputFormatOf(path) && !isReceipt(path)),
  }
}

const walk = { followSymbolicLinks: true, expandDirectories: false } as const

/** A call of the system that answers by a callback, its last argument. */
type SystemCall = (path: string, ...rest: unknown[]) => void
type Answered = (error: Error | null, ...answer: unknown[]) => void

/** The library passes over in silence what it cannot read: what the system answers is noted here. */
function watchedFileSystem() {
  const failures: { path: string; cause: Error; isLink: boolean }[] = []
  const noted =
    (call: unknown, isLink: boolean): SystemCall =>
    (path, ...rest) => {
      const done = rest.pop() as Answered
      const note: Answered = (error, ...answer) => {
        if (error) failures.push({ path: resolve(path), cause: error, isLink })
        done(error, ...answer)
      }
      ;(call as SystemCall)(path, ...rest, note)
    }
  const fs = { readdir: noted(readdir, false), realpath: noted(realpath, true), stat: noted(stat, true) }
  return { failures, fs: fs as unknown as NonNullable<GlobOptions['fs']> }
}

/** A link to nothing may have been a folder of inputs, unless its name says what else it was. */
function mayBeInput(path: string): boolean {
  return inputFormatOf(path) !== undefined || extname(path) === ''
}

function isAbsent(cause: Error): boolean {
  return systemCode(cause) === 'ENOENT'
}

function isBelow(path: string, folder: string): boolean {
  const below = relative(resolve(folder), resolve(path))
  return below !== '' && !below.startsWith('..')
}
