// How far a download is, in bytes, on stderr: a line that changes on a terminal, else a line every ten seconds.
import { byteText } from '../formats/byte-text.ts'
import { timeLeft } from './progress.ts'

/** Takes the state of a transfer whenever it changes. */
export interface TransferProgress {
  /** @param total NaN where nobody says it */
  update(file: string, done: number, total: number): void
  say(line: string): void
  stop(): void
}

const lineEveryMs = 10_000
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
      if (now - shownAt < (isTerminal ? redrawEveryMs : lineEveryMs)) return
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
      if (performance.now() - shownAt < lineEveryMs) return
      shownAt = performance.now()
      say(`${file}: ${byteText(done)}${Number.isNaN(total) ? '' : ` of ${byteText(total)}`}`)
    },
    say,
    stop: () => undefined,
  }
}
