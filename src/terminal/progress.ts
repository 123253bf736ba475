// How far a run is, on stderr: one line that is redrawn on a terminal, elsewhere a line every ten seconds.
import { byteText } from '../formats/shown-text.ts'

const lineEveryMs = 10_000
const redrawEveryMs = 100
const barWidth = 30

/** The line; with `isSilent` nothing is shown but what is said. */
function openStatusLine(isSilent: boolean) {
  const isTerminal = process.stderr.isTTY
  let shownAt = performance.now()
  let isDrawn = false
  function stop(): void {
    if (isDrawn) process.stderr.write('\r\u001B[K')
    isDrawn = false
  }
  return {
    isTerminal,
    /** `isNew`: at once, however short the time since the last. */
    show(text: () => string, isNew = false): void {
      const now = performance.now()
      if (isSilent || (!isNew && now - shownAt < (isTerminal ? redrawEveryMs : lineEveryMs))) return
      shownAt = now
      if (isTerminal) process.stderr.write(`\r\u001B[K${text().slice(0, (process.stderr.columns || 80) - 1)}`)
      else process.stderr.write(`${text()}\n`)
      isDrawn = isTerminal
    },
    /** A line for people, which stays. */
    say(line: string): void {
      stop()
      process.stderr.write(`${line}\n`)
    },
    stop,
  }
}

export function openProgress({ isSilent }: { isSilent: boolean }) {
  const { isTerminal, show, say, stop } = openStatusLine(isSilent)
  let started = performance.now()
  return {
    /** the time from which rates count */
    begin(): void {
      started = performance.now()
    },
    /** @param fraction of all inputs that was read, 0 to 1; NaN if it cannot be known */
    update({ objects, fraction }: { readonly objects: number; readonly fraction: number }): void {
      show(() => {
        const seconds = (performance.now() - started) / 1000
        const rate = Math.round(objects / seconds).toLocaleString('en')
        const share = Number.isNaN(fraction) ? '' : `${Math.floor(fraction * 100)} %, `
        const counts = `${objects.toLocaleString('en')} objects, ${rate} objects/s, ${timeLeft(seconds, fraction)} left`
        return `${isTerminal ? `${barOf(fraction || 0)} ` : ''}${share}${counts}`
      })
    },
    say,
    stop,
  }
}

function barOf(fraction: number): string {
  const full = Math.round(Math.min(1, fraction) * barWidth)
  return '█'.repeat(full) + '░'.repeat(barWidth - full)
}

/** Shows work in named steps: on a terminal how far each is, elsewhere only that it begins. */
export function openStepProgress({ isSilent }: { isSilent: boolean }) {
  const { isTerminal, show, say, stop } = openStatusLine(isSilent)
  let current = ''
  return {
    /** @param fraction of this step, 0 to 1; NaN if it cannot be known */
    update(step: string, fraction: number): void {
      const isNew = step !== current
      current = step
      if (!isNew && !isTerminal) return
      show(() => (isTerminal && !Number.isNaN(fraction) ? `${step} ${Math.floor(fraction * 100)} %` : step), isNew)
    },
    say,
    stop,
  }
}

/** What remains at the rate so far, e.g. `1 min 20 s`. */
export function timeLeft(seconds: number, fraction: number): string {
  if (!(fraction > 0)) return '?'
  const left = Math.max(0, Math.round((seconds * (1 - fraction)) / fraction))
  if (left < 60) return `${left} s`
  return left < 3600 ? `${Math.floor(left / 60)} min ${left % 60} s` : `${(left / 3600).toFixed(1)} h`
}

/** Takes the state of a transfer, in bytes, whenever it changes. */
export interface TransferProgress {
  /** @param total NaN if nobody says it */
  update(file: string, done: number, total: number): void
  say(line: string): void
  stop(): void
}

/** Shows a transfer, its rate and what remains. */
export function openTransferProgress({ isSilent }: { isSilent: boolean }): TransferProgress {
  const { show, say, stop } = openStatusLine(isSilent)
  let current = { file: '', startedAt: 0, startedWith: 0 }
  return {
    update(file, done, total) {
      const now = performance.now()
      if (file !== current.file) current = { file, startedAt: now, startedWith: done }
      show(() => {
        const rate = ((done - current.startedWith) / (now - current.startedAt)) * 1000
        const left = rate > 0 && !Number.isNaN(total) ? `, ${timeLeft(done / rate, done / total)} left` : ''
        return `${bytesOf(file, done, total)}, ${byteText(rate || 0)}/s${left}`
      })
    },
    say,
    stop,
  }
}

/** For a log: what is said, and how far it is every ten seconds. */
export function logTransfer(say: (line: string) => void): TransferProgress {
  let shownAt = performance.now()
  return {
    update(file, done, total) {
      if (performance.now() - shownAt < lineEveryMs) return
      shownAt = performance.now()
      say(bytesOf(file, done, total))
    },
    say,
    stop: () => undefined,
  }
}

export const silentTransfer: TransferProgress = {
  update: () => undefined,
  say: () => undefined,
  stop: () => undefined,
}

function bytesOf(file: string, done: number, total: number): string {
  return `${file}: ${byteText(done)}${Number.isNaN(total) ? '' : ` of ${byteText(total)}`}`
}
