// This machine: Node, its processor and memory, folders and files, the store and the model that would be used.
import { existsSync } from 'node:fs'
import { access, constants, mkdtemp, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { compileKernel } from '../../model/forest/forest-engine.ts'
import { messageOf, systemCode } from '../../errors.ts'
import { byteText } from '../../formats/shown-text.ts'
import { readBundleCalibration } from '../../model/calibration/bundle-calibration.ts'
import { verifyBundle } from '../../model/bundle/verify-bundle.ts'
import { checkGolden } from '../../model/open.ts'
import { chooseLocalModel } from '../models/local-model.ts'
import { interruptsOf } from '../../terminal/interrupt.ts'
import { silentTransfer } from '../../terminal/progress.ts'
import { cacheFolder, type ChosenModel, theNewest } from '../../model/store/model-reference.ts'
import type { ModelStore } from '../../model/store/model-store.ts'
import { type Check, failed, type Finding, ok, warning } from './check.ts'

/** a run with the full-size model holds this much */
const neededMemory = 300e6
/** below it sorting, joining and downloads may not fit */
const neededSpace = 1e9

/** @param required as `engines` of package.json says it: `>=20.19.4` */
export function nodeCheck(required: string): Check {
  const message = `${process.version}, ${process.platform} ${process.arch}`
  const finding = isAtLeast(process.versions.node, required.replace(/^\D+/, ''))
    ? ok(message)
    : failed(`${message}: lcclf needs ${required}`, 'Install a newer Node.js.')
  return { name: 'node', look: () => Promise.resolve(finding) }
}

/** Whether a version is the same or newer; a pre-release counts as the version it leads to. */
export function isAtLeast(version: string, least: string): boolean {
  return new Intl.Collator('en', { numeric: true }).compare(version, least) >= 0
}

/** What the forest's kernel needs: WebAssembly with SIMD, and memory that threads share. */
export const processorCheck: Check = {
  name: 'cpu',
  async look() {
    // a container's share of the processors, which the number of cores does not tell
    const share = await readFile('/sys/fs/cgroup/cpu.max', 'utf8').catch(() => '')
    const [quota = NaN, period = NaN] = share.split(' ').map(Number)
    const limit = quota / period > 0 ? `, ${(quota / period).toFixed(1)} of them for this container` : ''
    const cores = `${availableParallelism()} cores${limit}`
    try {
      await compileKernel()
      new SharedArrayBuffer(8)
      return ok(`${cores}, WebAssembly with SIMD and shared memory`)
    } catch (error) {
      const message = `${cores}: the kernel cannot be compiled (${messageOf(error).split('\n', 1)[0]!})`
      const hint = 'Allow Node to use WebAssembly SIMD and threads: --no-wasm-simd and --jitless forbid them.'
      return failed(message, hint)
    }
  },
}

/** Free memory, within the container's limit if there is one. */
export const memoryCheck: Check = {
  name: 'memory',
  async look() {
    // without a limit it is 0, or larger than all there is
    const limit = process.constrainedMemory()
    const isLimited = limit > 0 && limit < totalmem()
    const free = process.availableMemory()
    const total = isLimited ? `${byteText(limit)} (the limit of this container)` : byteText(totalmem())
    const message = `${byteText(free)} free of ${total}`
    if (free >= neededMemory) return ok(message)
    const hint = 'Give it more, or use a smaller --batch-size and --threads 1.'
    return warning(`${message}: a run takes about ${byteText(neededMemory)}`, hint)
  },
}

/**
 * A folder that lcclf writes: is it writable, and how much room is there?
 *
 * @param use what is written there
 */
export function diskCheck(folder: string, use: string): Check {
  return {
    name: 'disk',
    about: folder,
    async look() {
      const existing = await nearestFolder(folder)
      const problem = await whyNotWritable(existing)
      if (problem !== undefined) {
        const hint = 'Make it writable, or name another folder: TMPDIR, LCCLF_HOME or XDG_CACHE_HOME.'
        return failed(`${folder} (${use}) cannot be written: ${problem}`, hint)
      }
      const { bavail, bsize } = await statfs(existing)
      const free = bavail * bsize
      const state = existing === resolve(folder) ? 'writable' : 'will be created'
      const message = `${folder} (${use}): ${state}, ${byteText(free)} free`
      return free >= neededSpace ? ok(message) : warning(message, 'Free some space there, or name another folder.')
    },
  }
}

/**
 * A path that exists must be readable. One that does not exist may be an input that is missing, or an output that is still to
 * be written: then its folder must be writable.
 */
export function pathCheck(path: string): Check {
  return {
    name: 'files',
    about: path,
    async look() {
      const found = await stat(path).catch(() => undefined)
      if (!found) {
        const folder = await nearestFolder(dirname(path))
        const problem = await whyNotWritable(folder)
        if (problem === undefined) return warning(`${path} does not exist: it cannot be read, but can be written`)
        const message = `${path} does not exist, and cannot be written (${problem})`
        return failed(message, `Check the permissions of ${folder}.`)
      }
      const isFolder = found.isDirectory()
      const problem = await whyNotReadable(path, isFolder)
      if (problem !== undefined) return failed(`${path}: cannot be read (${problem})`, 'Check its permissions.')
      const obstacle = await (isFolder ? whyNotWritable(path) : whyNot(() => access(path, constants.W_OK)))
      const what = isFolder ? 'a folder' : byteText(found.size)
      const rights = obstacle === undefined ? 'readable and writable' : 'readable only'
      return ok(`${path}: ${what}, ${rights}`)
    },
  }
}

/** The folder itself, or the first one above it that exists. */
async function nearestFolder(folder: string): Promise<string> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    if (existsSync(place) || place === dirname(place)) return place
  }
}

function whyNotWritable(folder: string): Promise<string | undefined> {
  return whyNot(async () => {
    await access(folder, constants.W_OK | constants.X_OK)
    // access says nothing about full disks, nor about read-only mounts everywhere
    await rm(await mkdtemp(join(folder, '.lcclf-doctor-')), { recursive: true })
  })
}

function whyNotReadable(path: string, isFolder: boolean): Promise<string | undefined> {
  return whyNot(async () => (isFolder ? readdir(path) : (await open(path, 'r')).close()))
}

/** What the system says against it; undefined if it works. */
async function whyNot(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}

/** The model store: does it exist, what is in it, may it be changed? A read-only store is fine. */
export function storeCheck(store: ModelStore): Check {
  const { root } = store
  return {
    name: 'model store',
    about: root,
    async look() {
      const unreadable = existsSync(root) ? await whyNotReadable(root, true) : undefined
      if (unreadable !== undefined) {
        const hint = 'LCCLF_HOME names a folder for a store of your own.'
        return failed(`${root}: cannot be read (${unreadable})`, hint)
      }
      const models = store.list().map(({ name, version }) => `${name}@${version}`)
      const problem = await whyNotWritable(await nearestFolder(root))
      const use = problem === undefined ? '' : `; read-only (${problem}): models can be used, but none can be added`
      return ok(`${root}: ${models.length === 0 ? 'empty' : models.join(', ')}${use}`)
    },
  }
}

/**
 * Everything that `lcclf model verify` checks, of the model that a stream, or a run into tables or topics, would use without
 * --model, with its engine.
 *
 * @param isNeeded a stream is configured, which needs one
 */
export function modelCheck(isNeeded: boolean): Check {
  return {
    name: 'model',
    // reading and asking the full-size model takes this thread some seconds, and many on a slow machine
    limitMs: 120_000,
    async look() {
      const effects = { interrupts: interruptsOf(), progress: silentTransfer, mayPull: false }
      const chosen = await chooseLocalModel(process.env['LCCLF_MODEL'] || undefined, theNewest, effects)
      if (chosen) return verified(chosen)
      const message = 'no LCCLF_MODEL, no lcclf.lock here, and the store is empty'
      const hint = 'lcclf model pull downloads a model, lcclf model import makes one from pickles.'
      if (isNeeded) return warning(`${message}: a stream would have to pull a model`, hint)
      return { status: 'not configured', message, hint }
    },
  }
}

async function verified({ directory, chosenBy }: ChosenModel): Promise<Finding> {
  const damaged = (message: string): Finding =>
    failed(message, 'Pull or import it again; lcclf model verify has details.')
  const { checks, bundle } = await verifyBundle(directory)
  const wrong = checks.find(({ ok }) => !ok)
  if (wrong) return damaged(`${directory} (${chosenBy}): ${wrong.name}: ${wrong.detail}`)
  const { name, version } = bundle!.manifest
  const about = `${name}@${version} (${chosenBy})`
  const golden = await checkGolden(directory, bundle!, cacheFolder())
  if (!golden.ok) return damaged(`${about}: ${golden.detail}`)
  const calibration = await readBundleCalibration(directory)
  const learnt = calibration ? `, calibrated with ${calibration.data.objects} objects` : ''
  return ok(`${about}: checksums and golden answers verified${learnt}`)
}
