// --since, --until, --on → the timestamps of the messages that are wanted.
import { UsageError } from '../../errors.ts'

/** Milliseconds since 1970: `since` inclusive, `until` exclusive. */
export interface TimeWindow {
  readonly since?: number
  readonly until?: number
}

/** What was typed. */
export interface TimeWindowFlags {
  readonly since?: string | undefined
  readonly until?: string | undefined
  readonly on?: string | undefined
}

const dayMs = 24 * 3600 * 1000

/**
 * Reads the three flags: ISO-8601 (UTC unless it says otherwise) or milliseconds since 1970, and a UTC date.
 *
 * @throws UsageError for what is no time, for an empty window and for `--on` beside the others
 */
export function timeWindow({ since, until, on }: TimeWindowFlags): TimeWindow {
  if (on !== undefined) {
    if (since !== undefined || until !== undefined) throw new UsageError('--on and --since or --until exclude another')
    if (!/^\d{4}-\d{2}-\d{2}$/.test(on)) throw new UsageError(`--on ${on}: expected a date, for example 2026-11-22`)
    const start = timeOf('--on', on)
    return { since: start, until: start + dayMs }
  }
  const window = {
    ...(since === undefined ? {} : { since: timeOf('--since', since) }),
    ...(until === undefined ? {} : { until: timeOf('--until', until) }),
  }
  if (window.since !== undefined && window.until !== undefined && window.since >= window.until) {
    throw new UsageError(`--since ${since} is not before --until ${until}`)
  }
  return window
}

const isoForm = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$/i

function timeOf(flag: string, text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const found = isoForm.exec(text)
  const withZone = text.length > 10 && found?.[1] === undefined ? `${text}Z` : text
  const time = found ? Date.parse(withZone.replace(' ', 'T')) : NaN
  // Date.parse rolls the 31st of June over to July
  const isDay = new Date(`${text.slice(0, 10)}T00:00:00Z`).toJSON()?.startsWith(text.slice(0, 10)) === true
  if (Number.isNaN(time) || !isDay) {
    throw new UsageError(`${flag} ${text}: is no time`, {
      hint: 'For example 2026-11-22, 2026-11-22T18:00:00Z, or milliseconds since 1970.',
    })
  }
  return time
}
