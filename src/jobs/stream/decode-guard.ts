// Guards a stream against single messages: which one is being decoded is known when that ends the process, and after it.
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { keyOf } from '../../connectors/kafka/client/partition.ts'
import type { DecodeGuard, GuardedPlace } from '../../connectors/kafka/spec.ts'
import { messageOf } from '../../errors.ts'
import { startWorker, workerBeside } from '../../worker-file.ts'
import { headLength, leftBehind, markHead, markLength, markText, shownPlace } from './decode-marks.ts'
import type { DecodeWatch } from './decode-watch.ts'

/** What decoding one message may take, and where it is remembered which one was being decoded. */
export interface DecodeLimits {
  readonly milliseconds: number
  /** by which the process may grow */
  readonly bytes: number
  /** of this group's marks */
  readonly folder: string
  /** above it, and there: a volume that is not mounted is not made up */
  readonly root: string
}

/** what a process may die of once by accident it does not die of twice */
const mostEnds = 2

/**
 * Opens the guard of one stream: a mark in the folder, and a thread that looks at it while this one is busy.
 *
 * @param onNote told once why nothing can be remembered, if so
 */
export function openDecodeGuard({ folder, root, ...limits }: DecodeLimits, onNote: (note: string) => void) {
  const shared = new SharedArrayBuffer(8 + markLength)
  // how many messages were begun, and whether one is being decoded
  const state = new Int32Array(shared, 0, 2)
  const text = Buffer.from(shared, 8)
  const name = `${process.pid}-${randomBytes(6).toString('hex')}.mark`
  let file = openMark({ folder, root, name }, onNote)
  let current: GuardedPlace | undefined
  /** by place, how often a process ended */
  let ends = new Map<string, number>()

  const path = file === undefined ? undefined : join(folder, name)
  const workerData: DecodeWatch = { shared, ...limits, path, isTerminal: process.stderr.isTTY }
  const watch = startWorker(workerBeside(import.meta.url, 'decode-watch'), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: 32 },
  })
  watch.unref()
  watch.on('error', (error) => onNote(`nothing watches over the decoding of messages: ${messageOf(error)}`))

  function write(length: number): void {
    if (file === undefined) return
    try {
      writeSync(file, text, 0, length, 0)
    } catch (error) {
      onNote(`which message is being decoded cannot be remembered: ${messageOf(error)}`)
      closeSync(file)
      file = undefined
    }
  }

  const guard: DecodeGuard = {
    refusal(place) {
      if (ends.size === 0 || (ends.get(placeKey(place)) ?? 0) < mostEnds) return undefined
      return 'the process ended twice while it was being decoded'
    },
    enter(place) {
      const { topic, partition, isBatch } = place
      const isSame = topic === current?.topic && partition === current.partition && isBatch === current.isBatch
      const mark = isSame
        ? markHead(place.offset)
        : markText({ topic, partition, offset: place.offset, ...(isBatch === true ? { isBatch } : {}) })
      text.write(mark ?? markHead(undefined), 'utf8')
      if (mark !== undefined) current = place
      write(isSame ? headLength : markLength)
      Atomics.add(state, 0, 1)
      Atomics.store(state, 1, 1)
    },
    leave() {
      if (Atomics.exchange(state, 1, 0) === 0) return
      text.write(markHead(undefined), 'latin1')
      write(headLength)
    },
    async look(from) {
      const starts = new Map(from.map((start) => [keyOf(start), start.offset]))
      const found = await leftBehind(
        folder,
        new Set([name]),
        (place) => place.offset < (starts.get(keyOf(place)) ?? 0n),
      )
      ends = new Map()
      for (const place of found) ends.set(placeKey(place), (ends.get(placeKey(place)) ?? 0) + 1)
      return found.filter((place) => starts.has(keyOf(place))).map((place) => noteOf(place, ends.get(placeKey(place))!))
    },
  }
  return {
    ...guard,
    async close(): Promise<void> {
      await watch.terminate()
      if (file === undefined) return
      closeSync(file)
      file = undefined
      unlinkSync(path!)
    },
  }
}

const placeKey = (place: GuardedPlace): string => `${keyOf(place)}:${place.offset}:${place.isBatch === true}`

function noteOf(place: GuardedPlace, count: number): string {
  const where = shownPlace(place)
  if (count < mostEnds) return `a process ended while it was decoding ${where}: after another time it is a bad message`
  return `${count} processes ended while they were decoding ${where}: it is not decoded again`
}

function openMark(
  { folder, root, name }: Pick<DecodeLimits, 'folder' | 'root'> & { readonly name: string },
  onNote: (note: string) => void,
): number | undefined {
  try {
    if (!existsSync(root)) throw new Error(`there is no folder ${root}`)
    mkdirSync(folder, { recursive: true })
    return openSync(join(folder, name), 'wx')
  } catch (error) {
    onNote(`a message that ends the process is not known again after the next start: ${messageOf(error)}`)
    return undefined
  }
}
