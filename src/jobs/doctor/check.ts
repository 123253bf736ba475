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
