// What is said about a command that there is not: oclif calls this hook.
import type { Hook } from '@oclif/core'
import { failureLines } from './standard-streams.ts'
import { nearestNames } from './usage-errors.ts'

/** Words of other programs for what we call otherwise. */
const ourWords: Readonly<Record<string, string>> = {
  rm: 'remove',
  delete: 'remove',
  uninstall: 'remove',
  ls: 'list',
  models: 'list',
  add: 'import',
  convert: 'import',
  get: 'pull',
  download: 'pull',
  install: 'pull',
  upload: 'push',
  publish: 'push',
  info: 'show',
  predict: 'classify',
  run: 'classify',
  compare: 'diff',
  score: 'evaluate',
}

const hook: Hook<'command_not_found'> = function ({ id, config }) {
  // what follows the first words may be an address with a password
  const words = id.split(':')
  const end = words.findIndex((word, i) => !/^[a-z][a-z-]*$/i.test(word) || words[i + 1]?.startsWith('//'))
  const asked = words.slice(0, end === -1 ? undefined : Math.max(end, 1))
  const { commandIDs, topics } = config
  const hint = hintFor(asked, {
    commands: commandIDs.map((one) => one.split(':')),
    topics: topics.map(({ name }) => name),
  })
  process.stderr.write(failureLines({ message: `there is no command ${asked.join(' ')}`, hint }))
  process.exit(2)
}

interface KnownCommands {
  /** the words of each */
  readonly commands: readonly (readonly string[])[]
  readonly topics: readonly string[]
}

function hintFor(asked: readonly string[], { commands, topics }: KnownCommands): string {
  const [first, second] = asked.map((word) => ourWords[word] ?? word) as [string, string | undefined]
  const pairs = commands.filter(({ length }) => length > 1)
  const wordsAt = (place: number, of: KnownCommands['commands']) => [...new Set(of.map((words) => words[place]!))]
  const group = nearestNames(first, topics)[0]
  if (group !== undefined) {
    const own = pairs.filter(([word]) => word === group)
    const verb = second === undefined ? undefined : nearestNames(second, wordsAt(1, own))[0]
    if (verb !== undefined) return `Did you mean lcclf ${group} ${verb}?`
    if (group === first) return `lcclf ${group} --help lists its commands.`
  }
  const alone = nearestNames(first, [...wordsAt(0, commands), ...topics])[0]
  if (alone !== undefined) return `Did you mean lcclf ${alone}?`
  // import is model import
  const verb = nearestNames(first, wordsAt(1, pairs))[0]
  const pair = pairs.find((words) => words[1] === verb)
  return pair ? `Did you mean lcclf ${pair.join(' ')}?` : 'lcclf --help lists the commands.'
}

export default hook
