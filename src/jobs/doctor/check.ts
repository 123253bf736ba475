// What the doctor looks at and what it finds: one check a file, one finding a line.

/** `not configured` is fine: nobody asked for it. */
export type FindingStatus = 'ok' | 'warning' | 'failed' | 'not configured'

/** One line. */
export interface Finding {
  readonly name: string
  readonly status: FindingStatus
  /** what was found, without any secret */
  readonly message: string
  /** what to do */
  readonly hint?: string | undefined
}

/** The clock of another machine. */
export interface ClockReading {
  /** whose clock */
  readonly place: string
  /** milliseconds it is ahead of ours */
  readonly aheadMs: number
}

/** What a check gets, and where it leaves what others need. */
export interface CheckContext {
  /** comes when the time is over: give up, and leave nothing open */
  readonly signal: AbortSignal
  tellClock(reading: ClockReading): void
}

/** One thing to look at. */
export interface Check {
  readonly name: string
  /** what the line is about, where the check itself has no time to say it; may be shown */
  readonly about?: string | undefined
  /** milliseconds it may take */
  readonly limitMs?: number
  /** Whatever is thrown becomes a failed line. */
  look(context: CheckContext): Promise<readonly Finding[]>
}

// This machine's clock against those of the services.

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
