// Names of topics: fixed, by day, or by pattern.
import { UsageError } from '../../errors.ts'

/** The topic to write to now. */
export type TopicName = (now: Date) => string

/**
 * A topic, or one for each day if its name has `%s`: exactly one at any time, from the change hour (UTC) on that of the
 * next day. The original wrote to several at once around the change (seed: `DailyTopicStrategy`).
 *
 * @throws UsageError for a date format with unknown codes
 */
export function dailyTopic(
  name: string,
  { dateFormat, changeHour }: { dateFormat: string; changeHour: number },
): TopicName {
  if (!name.includes('%s')) return () => name
  formatDate(dateFormat, new Date(0))
  return (now) => {
    const day = new Date(now.getTime() + (now.getUTCHours() >= changeHour ? 24 * 3600 * 1000 : 0))
    return name.replaceAll('%s', formatDate(dateFormat, day))
  }
}

/** C's `strftime` for the codes that name days, in UTC. */
function formatDate(format: string, day: Date): string {
  return format.replace(/%(.?)/g, (_, code: string) => {
    const write = dateCodes[code]
    if (!write)
      throw new UsageError(`date format ${format}: %${code} is not known`, {
        hint: 'Known are %Y %y %m %d %j %H %b %B.',
      })
    return write(day)
  })
}

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

const dateCodes: Readonly<Record<string, (day: Date) => string>> = {
  '%': () => '%',
  Y: (day) => String(day.getUTCFullYear()),
  y: (day) => twoDigits(day.getUTCFullYear() % 100),
  m: (day) => twoDigits(day.getUTCMonth() + 1),
  d: (day) => twoDigits(day.getUTCDate()),
  H: (day) => twoDigits(day.getUTCHours()),
  j: (day) =>
    String(Math.floor((day.getTime() - Date.UTC(day.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(3, '0'),
  b: (day) => months[day.getUTCMonth()]!.slice(0, 3),
  B: (day) => months[day.getUTCMonth()]!,
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** Which topics a consumer reads. */
export interface TopicSelection {
  /** as they were written */
  readonly shown: string
  /** topics that are read whether or not they exist yet */
  readonly names: readonly string[]
  /** whether new topics may be found among the cluster's */
  readonly hasPatterns: boolean
  /** of the cluster's topics, those that match */
  matches(topic: string): boolean
}

/**
 * Names and `^` patterns, as `CONSUMER_TOPICS` has them. A name with `%s` is read on every day it has.
 *
 * @throws UsageError for a pattern that is none
 */
export function selectTopics(words: readonly string[]): TopicSelection {
  const names = words.filter((word) => !isPattern(word))
  const patterns = words.filter(isPattern).map(patternOf)
  return {
    shown: words.join(','),
    names,
    hasPatterns: patterns.length > 0,
    // the brokers' own topics are no data
    matches: (topic) =>
      names.includes(topic) || (!topic.startsWith('__') && patterns.some((pattern) => pattern.test(topic))),
  }
}

function isPattern(word: string): boolean {
  return word.startsWith('^') || word.includes('%s')
}

function patternOf(word: string): RegExp {
  if (!word.startsWith('^'))
    return new RegExp(`^${word.split('%s').map(escaped).join('[A-Za-z0-9._-]*[0-9][A-Za-z0-9._-]*')}$`)
  try {
    return new RegExp(word)
  } catch (cause) {
    throw new UsageError(`topic pattern ${word}: is no regular expression`, { cause })
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
