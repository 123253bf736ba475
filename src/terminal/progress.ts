// How far the run is, on stderr: a bar on a terminal, else a line every ten seconds.
import type { SingleBar } from 'cli-progress'
import { byteText } from '../formats/shown-text.ts'

/** Takes the state of the run whenever it changes. */
export interface Progress {
  /** @param fraction of all inputs that was read, 0 to 1; NaN where it cannot be told */
  update(state: { objects: number; fraction: number }): void
  /** a line for people, without tearing the bar */
  say(line: string): void
  stop(): void
}

const lineEveryMs = 10_000

/** Opens the progress of a run. With `isSilent` nothing is shown but what is said. */
export async function openProgress({ isSilent }: { isSilent: boolean }): Promise<Progress> {
  if (isSilent) return { update: () => undefined, say: writeLine, stop: () => undefined }
  return process.stderr.isTTY ? openBar() : openLines()
}

async function openBar(): Promise<Progress> {
  const { SingleBar, Presets } = (await import('cli-progress')).default
  const started = performance.now()
  const bar: SingleBar = new SingleBar(
    {
      format: '{bar} {percentage}% | {objects} objects | {rate} objects/s | {left} left',
      stream: process.stderr,
      hideCursor: true,
      clearOnComplete: true,
      stopOnComplete: false,
      gracefulExit: false,
      fps: 5,
    },
    Presets.shades_classic,
  )
  bar.start(1000, 0, { objects: 0, rate: '-', left: '?' })
  return {
    update({ objects, fraction }) {
      const seconds = (performance.now() - started) / 1000
      bar.update(Math.round((fraction || 0) * 1000), {
        objects: objects.toLocaleString('en'),
        rate: Math.round(objects / seconds).toLocaleString('en'),
        left: timeLeft(seconds, fraction),
      })
    },
    say(line) {
      process.stderr.write('\r\u001B[K')
      writeLine(line)
    },
    stop: () => bar.stop(),
  }
}

function openLines(): Progress {
  const started = performance.now()
  let nextAt = started + lineEveryMs
  return {
    update({ objects, fraction }) {
      const now = performance.now()
      if (now < nextAt) return
      nextAt = now + lineEveryMs
      const seconds = (now - started) / 1000
      const share = Number.isNaN(fraction) ? '' : `${Math.floor(fraction * 100)} %, `
      const rate = Math.round(objects / seconds).toLocaleString('en')
      writeLine(
        `${share}${objects.toLocaleString('en')} objects, ${rate} objects/s, ${timeLeft(seconds, fraction)} left`,
      )
    },
    say: writeLine,
    stop: () => undefined,
  }
}

/** Progress of work in named steps. */
interface StepProgress {
  /** @param fraction of this step, 0 to 1; NaN where it cannot be told */
  update(step: string, fraction: number): void
  say(line: string): void
  stop(): void
}

/** Shows steps on a terminal as one line that changes, elsewhere as a line when a step begins. */
export function openStepProgress({ isSilent }: { isSilent: boolean }): StepProgress {
  const isTerminal = process.stderr.isTTY
  let shown = ''
  function clear(): void {
    if (isTerminal && shown !== '') process.stderr.write('\r\u001B[K')
    shown = ''
  }
  return {
    update(step, fraction) {
      if (isSilent) return
      const text = isTerminal && !Number.isNaN(fraction) ? `${step} ${Math.floor(fraction * 100)} %` : step
      if (text === shown) return
      if (isTerminal) process.stderr.write(`\r\u001B[K${text}`)
      else writeLine(text)
      shown = text
    },
    say(line) {
      clear()
      writeLine(line)
    },
    stop: clear,
  }
}

/** What remains at the rate so far, e.g. `1 min 20 s`. */
export function timeLeft(seconds: number, fraction: number): string {
  if (!(fraction > 0)) return '?'
  const left = Math.max(0, Math.round((seconds * (1 - fraction)) / fraction))
  return left < 60
    ? `${left} s`
    : left < 3600
      ? `${Math.floor(left / 60)} min ${left % 60} s`
      : `${(left / 3600).toFixed(1)} h`
}

function writeLine(line: string): void {
  process.stderr.write(`${line}\n`)
}

// How far a download is, in bytes, on stderr: a line that changes on a terminal, else a line every ten seconds.

/** Takes the state of a transfer whenever it changes. */
export interface TransferProgress {
  /** @param total NaN where nobody says it */
  update(file: string, done: number, total: number): void
  say(line: string): void
  stop(): void
}

const lineEveryMs2 = 10_000
const redrawEveryMs = 100

/** With `isSilent` nothing is shown but what is said. */
export function openTransferProgress({ isSilent }: { isSilent: boolean }): TransferProgress {
  const isTerminal = process.stderr.isTTY
  let current = { file: '', startedAt: 0, startedWith: 0 }
  let shownAt = performance.now()
  let isDrawn = false
  function clear(): void {
    if (isDrawn) process.stderr.write('\r\u001B[K')
    isDrawn = false
  }
  return {
    update(file, done, total) {
      if (isSilent) return
      const now = performance.now()
      if (file !== current.file) current = { file, startedAt: now, startedWith: done }
      if (now - shownAt < (isTerminal ? redrawEveryMs : lineEveryMs2)) return
      shownAt = now
      const seconds = (now - current.startedAt) / 1000
      const rate = (done - current.startedWith) / seconds
      const of = Number.isNaN(total) ? '' : ` of ${byteText(total)}`
      const left = rate > 0 && !Number.isNaN(total) ? `, ${timeLeft(done / rate, done / total)} left` : ''
      const text = `${file}: ${byteText(done)}${of}, ${byteText(rate || 0)}/s${left}`
      process.stderr.write(isTerminal ? `\r\u001B[K${text}` : `${text}\n`)
      isDrawn = isTerminal
    },
    say(line) {
      clear()
      process.stderr.write(`${line}\n`)
    },
    stop: clear,
  }
}

/** Says nothing at all. */
export const silentTransfer: TransferProgress = {
  update: () => undefined,
  say: () => undefined,
  stop: () => undefined,
}

/** For a log: what is said, and how far it is every ten seconds. */
export function logTransfer(say: (line: string) => void): TransferProgress {
  let shownAt = performance.now()
  return {
    update(file, done, total) {
      if (performance.now() - shownAt < lineEveryMs2) return
      shownAt = performance.now()
      say(`${file}: ${byteText(done)}${Number.isNaN(total) ? '' : ` of ${byteText(total)}`}`)
    },
    say,
    stop: () => undefined,
  }
}
