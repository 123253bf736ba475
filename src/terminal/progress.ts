// How far the run is, on stderr: a bar on a terminal, else a line every ten seconds.
import type { SingleBar } from 'cli-progress'

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
export interface StepProgress {
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
