// What is wrong with a command line, in our words: oclif says it in several lines, and names no neighbour of a mistyped flag.
import { stripVTControlCharacters } from 'node:util'
import { distance } from 'fastest-levenshtein'

/** What an error says about a command: its words, and the flags that it has. */
export interface AskedCommand {
  readonly words: string
  readonly flags: readonly string[]
}

/** An error that oclif's parser threw; some kinds carry what they are about. */
type ParserError = Error & { readonly flags?: readonly string[]; readonly args?: readonly { readonly name: string }[] }

/** The sentence without what oclif puts around that of a flag's own parser. */
export function bareMessage(message: string): string {
  return stripVTControlCharacters(message)
    .replace(/^Parsing --\S+ \n\t/, '')
    .replace(/\nSee more help with --help$/, '')
}

/** One line about an error of oclif's parser, and what to do. */
export function usageOf(error: ParserError, { words, flags }: AskedCommand) {
  const message = bareMessage(error.message)
  const hint = `lcclf ${words} --help shows how it is used.`
  if (message.startsWith('Nonexistent flag')) return unknownFlags(error.flags ?? [], { flags, hint })
  if (/^Missing \d+ required arg/.test(message)) {
    return { message: `missing: ${(error.args ?? []).map(({ name }) => name.toUpperCase()).join(', ')}`, hint }
  }
  for (const [pattern, say] of sentences) {
    const found = pattern.exec(message)
    if (found) return { message: say(...(found.slice(1) as [string, string, string])), hint }
  }
  const [, reasons] = /^The following errors? occurred:(.*)$/s.exec(message) ?? []
  return {
    message:
      reasons === undefined
        ? message
        : reasonsOf(
            reasons
              .trim()
              .split('\n')
              .map((one) => one.trim()),
          ),
    hint,
  }
}

/** What oclif says of one flag or argument → what we say. */
const sentences: readonly (readonly [RegExp, (a: string, b: string, c: string) => string])[] = [
  [/^Expected (--[^=]+)=(.*) to be one of: (.*)$/s, (flag, value, all) => `${flag} ${value}: expected ${oneOf(all)}`],
  [/^Expected (?!--)(.*) to be one of: (.*)$/s, (value, all) => `${value}: expected ${oneOf(all)}`],
  [/^Flag (--\S+) expects one of these values: (.*)$/s, (flag, all) => `${flag}: expected ${oneOf(all)}`],
  [/^Flag (--\S+) expects a value$/, (flag) => `${flag}: expected a value`],
  [/^Flag (--\S+) can only be specified once$/, (flag) => `${flag}: given more than once`],
  [/^Unexpected arguments?: (.*)$/s, (all) => `too many arguments: ${all}`],
]

function reasonsOf(reasons: readonly string[]): string {
  const missing = reasons.flatMap((reason) => /^Missing required flag (\S+)$/.exec(reason)?.[1] ?? [])
  if (missing.length > 0) return `missing: ${missing.map((name) => `--${name}`).join(', ')}`
  const needs = /^All of the following must be provided when using (--\S+): (.*)$/
  return reasons.map((reason) => reason.replace(needs, '$1 needs $2')).join('; ')
}

function oneOf(values: string): string {
  return values.replace(/, ([^,]+)$/, ' or $1')
}

function unknownFlags(typed: readonly string[], { flags, hint }: { flags: readonly string[]; hint: string }) {
  // a value may be a secret
  const names = typed.map((flag) => flag.split('=', 1)[0]!)
  const near = names.flatMap((name) => (name.startsWith('--') ? nearestFlags(name.slice(2), flags) : []))
  const asked = near.length === 0 ? hint : `Did you mean ${near.map((name) => `--${name}`).join(' or ')}?`
  return { message: `unknown flag${names.length > 1 ? 's' : ''} ${names.join(', ')}`, hint: asked }
}

function nearestFlags(typed: string, flags: readonly string[]): string[] {
  const ours = ourFlags[typed]
  return ours !== undefined && flags.includes(ours) ? [ours] : nearestNames(typed, flags)
}

/** Words of other programs for flags of ours. */
const ourFlags: Readonly<Record<string, string>> = { output: 'to', out: 'to', input: 'from' }

/** The known names that somebody may have meant: those that differ least, else those that hold all of it as a word. */
export function nearestNames(typed: string, known: readonly string[]): string[] {
  // a letter in three may be wrong
  const farthest = Math.ceil(typed.length / 3)
  const distances = known.map((name) => distance(typed, name))
  const least = Math.min(farthest, ...distances)
  const near = known.filter((_, i) => distances[i] === least)
  return near.length > 0 ? near : known.filter((name) => name.split('-').includes(typed))
}
