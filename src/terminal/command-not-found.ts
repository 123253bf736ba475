// What is said about a command that there is not: oclif calls this hook.
import type { Hook } from '@oclif/core'
import { distance } from 'fastest-levenshtein'

const farthest = 4

const hook: Hook<'command_not_found'> = function ({ id, config }) {
  // what follows the first words may be an address with a password
  const words = id.split(':')
  const end = words.findIndex((word, i) => !/^[a-z][a-z-]*$/i.test(word) || words[i + 1]?.startsWith('//'))
  const asked = words.slice(0, end === -1 ? undefined : Math.max(end, 1)).join(' ')
  const known = config.commandIDs.map((command) => command.replaceAll(':', ' '))
  const nearest = known.sort((a, b) => distance(asked, a) - distance(asked, b))[0]
  const hint =
    nearest !== undefined && distance(asked, nearest) <= farthest
      ? `Did you mean lcclf ${nearest}?`
      : 'lcclf --help lists the commands.'
  process.stderr.write(`lcclf: there is no command ${asked}\n  ${hint}\n`)
  process.exit(2)
}

export default hook
