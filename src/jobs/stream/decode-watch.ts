// A thread that ends the process when decoding one message takes too long or too much: the other thread cannot.
import { utimesSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'
import { createLog } from '../../terminal/log.ts'
import { beatMs, readMark, shownPlace } from './decode-marks.ts'

/** What the thread is told. */
export interface DecodeWatch {
  /** two numbers, how many messages were begun and whether one is being decoded, and the mark */
  readonly shared: SharedArrayBuffer
  readonly milliseconds: number
  readonly bytes: number
  /** of the mark, to show that its owner lives */
  readonly path: string | undefined
  readonly isTerminal: boolean
}

const { shared, milliseconds, bytes, path, isTerminal } = workerData as DecodeWatch
const state = new Int32Array(shared, 0, 2)
const pollMs = Math.min(Math.max(milliseconds / 10, 5), 200)
// the other thread's stream waits for that thread, which is busy
const log = createLog({ isTTY: isTerminal, write: writeAtOnce }, false)

let begun = -1
let spentMs = 0
let size = process.memoryUsage.rss()
let sizeBefore = size
let hasWarned = false
let lookedAt = performance.now()
let beatAt = lookedAt

setInterval(look, pollMs)

function look(): void {
  const now = performance.now()
  // a machine that slept, or a process that was stopped, has not spent the time
  const passedMs = Math.min(now - lookedAt, 2 * pollMs)
  lookedAt = now
  if (now - beatAt > beatMs) beat(now)
  const isNew = Atomics.load(state, 0) !== begun
  if (isNew || Atomics.load(state, 1) === 0) {
    begun = Atomics.load(state, 0)
    spentMs = 0
    sizeBefore = size
    size = process.memoryUsage.rss()
    hasWarned = false
    return
  }
  spentMs += passedMs
  const grownBytes = process.memoryUsage.rss() - sizeBefore
  const soFar = `${(spentMs / 1000).toFixed(1)} s and ${Math.max(0, Math.round(grownBytes / 1e6))} MB so far`
  if (spentMs > milliseconds || grownBytes > bytes) {
    const then = 'the process ends, and the message is read again after the next start'
    log.error(`decoding ${place()} takes too much (${soFar}): ${then}`)
    // signals are handled by the other thread, which is busy
    process.kill(process.pid, 'SIGKILL')
  } else if (!hasWarned && spentMs > milliseconds / 3) {
    hasWarned = true
    log.warn(`decoding ${place()} takes long: ${soFar}`)
  }
}

function place(): string {
  const found = readMark(Buffer.from(Buffer.from(shared, 8)).toString('utf8'))?.place
  return found ? shownPlace(found) : 'a message'
}

function beat(now: number): void {
  beatAt = now
  const time = new Date()
  try {
    if (path !== undefined) utimesSync(path, time, time)
  } catch {
    // it is only taken for a mark that was left behind
  }
}

function writeAtOnce(text: string): void {
  try {
    writeSync(2, text)
  } catch {
    // nobody can be told
  }
}
