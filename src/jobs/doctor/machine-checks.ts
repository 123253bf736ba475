// This machine: Node, what its processor and its memory are good for.
import { access, constants, mkdtemp, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { compileKernel } from '../../model/forest/kernel/kernel-module.ts'
import { messageOf, systemCode } from '../../errors.ts'
import type { Check, Finding } from './check.ts'
import { byteText } from '../../formats/shown-text.ts'

/** a run with the full-size model holds this much */
const neededMemory = 300e6

/** @param required as `engines` of package.json says it: `>=20.19.4` */
export function nodeCheck(required: string): Check {
  const name = 'node'
  const look = (): Finding => {
    const message = `${process.version}, ${process.platform} ${process.arch}`
    if (isAtLeast(process.versions.node, required.replace(/^\D+/, ''))) return { name, status: 'ok', message }
    return { name, status: 'failed', message: `${message}: lcclf needs ${required}`, hint: 'Install a newer Node.js.' }
  }
  return { name, look: () => Promise.resolve([look()]) }
}

/** Whether a version is another or newer; pre-releases count as what they lead to. */
export function isAtLeast(version: string, least: string): boolean {
  const [own, wanted] = [version, least].map((text) => text.split('-', 1)[0]!.split('.').map(Number)) as [
    number[],
    number[],
  ]
  for (const [i, part] of wanted.entries()) {
    const difference = (own[i] ?? 0) - part
    if (difference !== 0) return difference > 0
  }
  return true
}

/** What the forest's kernel needs: WebAssembly with SIMD, and memory that threads share. */
export function processorCheck(): Check {
  const name = 'cpu'
  return {
    name,
    async look() {
      const cores = `${availableParallelism()} cores${await limitText()}`
      try {
        await compileKernel()
        new SharedArrayBuffer(8)
        return [{ name, status: 'ok', message: `${cores}, WebAssembly with SIMD and shared memory` }]
      } catch (error) {
        const message = `${cores}: the kernel cannot be compiled (${messageOf(error).split('\n', 1)[0]!})`
        const hint = 'Node must be allowed WebAssembly SIMD and threads (--no-wasm-simd and --jitless forbid them).'
        return [{ name, status: 'failed', message, hint }]
      }
    },
  }
}

/** A container's share of the processors, which the number of cores does not tell. */
async function limitText(): Promise<string> {
  const text = await readFile('/sys/fs/cgroup/cpu.max', 'utf8').catch(() => '')
  const [quota, period] = text.trim().split(' ').map(Number)
  return quota !== undefined && period !== undefined && quota / period > 0
    ? `, ${(quota / period).toFixed(1)} of them for this container`
    : ''
}

/** Free memory, within the container's limit where there is one. */
export function memoryCheck(): Check {
  const name = 'memory'
  const look = (): Finding => {
    const total = totalmem()
    const limit = process.constrainedMemory()
    // without a limit it is 0, or larger than all there is
    const isLimited = limit > 0 && limit < total
    const free = isLimited ? process.availableMemory() : freemem()
    const message = `${byteText(free)} free of ${byteText(isLimited ? limit : total)}${isLimited ? ' (the limit of this container)' : ''}`
    if (free >= neededMemory) return { name, status: 'ok', message }
    return {
      name,
      status: 'warning',
      message: `${message}: a run takes about ${byteText(neededMemory)}`,
      hint: 'Give it more, or use a smaller --batch-size and --threads 1.',
    }
  }
  return { name, look: () => Promise.resolve([look()]) }
}

// A folder that lcclf writes: may it, and how much room is there?

/** below it sorting, joining and downloads may not fit */
const neededSpace = 1e9

/** @param use what is written there */
export function diskCheck(folder: string, use: string): Check {
  const name = 'disk'
  return {
    name,
    about: folder,
    async look(): Promise<Finding[]> {
      const existing = await nearestFolder(folder)
      const problem = await whyNotWritable(existing)
      if (problem !== undefined) {
        const hint = 'Make it writable, or name another folder: TMPDIR, LCCLF_HOME or XDG_CACHE_HOME.'
        return [{ name, status: 'failed', message: `${folder} (${use}) cannot be written: ${problem}`, hint }]
      }
      const { bavail, bsize } = await statfs(existing)
      const free = bavail * bsize
      const will = existing === resolve(folder) ? 'writable' : 'will be made'
      const message = `${folder} (${use}): ${will}, ${byteText(free)} free`
      if (free >= neededSpace) return [{ name, status: 'ok', message }]
      return [{ name, status: 'warning', message, hint: 'Free some space there, or name another folder.' }]
    },
  }
}

/** The folder itself, or the first above it that exists. */
export async function nearestFolder(folder: string): Promise<string> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    const found = await stat(place).catch(() => undefined)
    if (found || place === dirname(place)) return place
  }
}

/** What the system says against a new file in a folder; undefined if it may be written. */
export async function whyNotWritable(folder: string): Promise<string | undefined> {
  try {
    await access(folder, constants.W_OK | constants.X_OK)
    // access says nothing of full disks, nor of read-only mounts everywhere
    await rm(await mkdtemp(join(folder, '.lcclf-doctor-')), { recursive: true })
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}

// A file or folder that was named: can it be read, can it be written?

/** A path that exists must be readable; of one that does not, who knows: an input is missing, the folder of an output must be writable. */
export function pathCheck(path: string): Check {
  const name = 'files'
  const failed = (message: string, hint: string): Finding => ({ name, status: 'failed', message, hint })
  return {
    name,
    about: path,
    async look() {
      const found = await stat(path).catch(() => undefined)
      if (!found) {
        const folder = await nearestFolder(dirname(path))
        const problem = await whyNotWritable(folder)
        const message = `${path}: there is no such file`
        if (problem === undefined) {
          return [
            { name, status: 'warning', message: `${message}: as an input it is missing; as an output it can be made` },
          ]
        }
        return [failed(`${message}, and it cannot be made (${problem})`, `See the rights of ${folder}.`)]
      }
      const problem = found.isDirectory() ? await whyNotListed(path) : await whyNotReadable(path)
      if (problem !== undefined) return [failed(`${path}: cannot be read (${problem})`, 'See its rights.')]
      const isWritable = found.isDirectory()
        ? (await whyNotWritable(path)) === undefined
        : await access(path, constants.W_OK).then(
            () => true,
            () => false,
          )
      const what = found.isDirectory() ? 'a folder' : byteText(found.size)
      return [{ name, status: 'ok', message: `${path}: ${what}, readable${isWritable ? ' and writable' : ' only'}` }]
    },
  }
}

async function whyNotReadable(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r')
    await file.close()
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}

async function whyNotListed(path: string): Promise<string | undefined> {
  try {
    await readdir(path)
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}
