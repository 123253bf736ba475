// This machine's clock against those of the services.
import type { ClockReading, Finding } from './check.ts'

const mostSkewMs = 60_000

/** Two writers decide by time which is the newer, and messages carry timestamps: a minute is too much. */
export function clockFinding(readings: readonly ClockReading[]): Finding {
  const name = 'clock'
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  if (readings.length === 0) return { name, status: 'ok', message: `${now}, compared with nobody else's` }
  const wrong = readings.filter(({ aheadMs }) => Math.abs(aheadMs) > mostSkewMs)
  if (wrong.length === 0) {
    const most = Math.max(...readings.map(({ aheadMs }) => Math.abs(aheadMs)))
    const places = [...new Set(readings.map(({ place }) => place))].join(', ')
    return { name, status: 'ok', message: `${now}, within ${shownSeconds(most)} of ${places}` }
  }
  const differences = wrong.map(
    ({ place, aheadMs }) => `${place} is ${shownSeconds(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead' : 'behind'}`,
  )
  return {
    name,
    status: 'warning',
    message: `${now}; ${differences.join(', ')}`,
    hint: 'Set the clocks (NTP): which of two results is the newer, and the windows of --since and --until, go by them.',
  }
}

function shownSeconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** The reading from a question that was answered: the clock was read half-way between. */
export function readingOf(place: string, theirs: number, sent: number, received: number): ClockReading {
  return { place, aheadMs: theirs - (sent + received) / 2 }
}
