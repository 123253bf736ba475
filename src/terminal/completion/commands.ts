// What there is to complete, read from oclif's commands: words, flags, and what stands behind them. The three shells make scripts of it.
import type { Command } from '@oclif/core'

/** What may be typed at a place: paths, text of one's own, or one of some words. */
export type Value = 'files' | 'text' | readonly string[]

/** A flag; without a `value` it is a switch. */
export interface CompletedFlag {
  readonly name: string
  readonly char: string | undefined
  readonly about: string
  readonly heading: string
  readonly value: Value | undefined
  readonly isRepeatable: boolean
}

/** One command; `argument` is what it takes besides flags, if anything. */
export interface CompletedCommand {
  readonly words: readonly string[]
  readonly about: string
  readonly flags: readonly CompletedFlag[]
  readonly argument: Value | undefined
}

/** All that can be typed; `topics`: what `lcclf help` knows besides commands. */
export interface CommandLine {
  readonly commands: readonly CompletedCommand[]
  readonly groups: readonly { readonly name: string; readonly about: string }[]
  readonly topics: readonly { readonly name: string; readonly about: string }[]
}

/** A word and what it is, for shells that show both. */
export interface Choice {
  readonly name: string
  readonly about: string
}

const helpFlag: CompletedFlag = {
  name: 'help',
  char: 'h',
  about: 'show how the command is used',
  heading: '',
  value: undefined,
  isRepeatable: false,
}
const longestAbout = 70

export function completedCommand(command: Command.Loadable): CompletedCommand {
  const [argument] = Object.values(command.args)
  const flags = Object.values(command.flags).filter(({ hidden }) => hidden !== true)
  return {
    words: command.id.split(':'),
    about: command.summary ?? '',
    flags: [...flags.flatMap(completedFlag), helpFlag],
    argument: argument && (argument.options ?? 'files'),
  }
}

function completedFlag(flag: Command.Flag.Any): CompletedFlag[] {
  const { name, char, description = '' } = flag
  const common = { name, char, about: shortened(description) }
  if (flag.type === 'boolean') {
    const one = { ...common, heading: '', value: undefined, isRepeatable: false }
    return flag.allowNo === true ? [one, { ...one, name: `no-${name}`, char: undefined }] : [one]
  }
  const heading = flag.helpValue?.toString() ?? name
  const value = flag.options ?? (/FILE|DIR|FOLDER|BUNDLE|ADDRESS|REF/.test(heading) ? 'files' : 'text')
  return [{ ...common, heading, value, isRepeatable: flag.multiple === true }]
}

/** What stands on a line beside a flag: the first statement of its help. */
function shortened(description: string): string {
  // `forest: …; onnx: …` is one statement
  const [first] = description.split(description.includes(': ') ? / \(|\. / : / \(|[.;] /)
  return first!.length > longestAbout ? `${first!.slice(0, longestAbout - 1).trimEnd()}…` : first!
}

/** The words that may come first. */
export function firstWords({ commands, groups }: CommandLine): Choice[] {
  const alone = commands.filter(({ words }) => words.length === 1)
  return [...alone.map(({ words, about }) => ({ name: words[0]!, about })), ...groups]
}

/** The words of a group. */
export function secondWords({ commands }: CommandLine, group: string): Choice[] {
  const own = commands.filter(({ words }) => words.length === 2 && words[0] === group)
  return own.map(({ words, about }) => ({ name: words[1]!, about }))
}

/** What `lcclf help` takes. */
export function helpWords(line: CommandLine): Choice[] {
  return [...firstWords(line).filter(({ name }) => name !== 'help'), ...line.topics]
}

/** `--name` and `-c`. */
export function spellings({ name, char }: CompletedFlag): string[] {
  return [`--${name}`, ...(char === undefined ? [] : [`-${char}`])]
}

/** A text between single quotes, for any of the shells but fish. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
