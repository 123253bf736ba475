// The script that a shell reads to complete lcclf's command line.
import type { Config } from '@oclif/core/config'
import { topics } from '../help-topics.ts'
import { bashScript } from './bash.ts'
import { byCodeUnit } from '../../connectors/address.ts'
import { type CommandLine, completedCommand } from './commands.ts'
import { fishScript } from './fish.ts'
import { zshScript } from './zsh.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const

/** A shell that can be helped. */
export type Shell = keyof typeof scripts
export const shells = Object.keys(scripts) as readonly Shell[]

/** What `eval` or `source` makes a shell complete lcclf by; made from the manifest, so it knows every flag there is. */
export function completionScript(shell: Shell, config: Pick<Config, 'commands' | 'topics'>): string {
  const commands = config.commands
    .filter(({ hidden }) => !hidden)
    .map(completedCommand)
    .sort((a, b) => byCodeUnit(a.words.join(' '), b.words.join(' ')))
  const line: CommandLine = {
    commands,
    // oclif makes a topic of every command too
    groups: config.topics
      .filter(({ name }) => commands.some(({ words }) => words.length === 2 && words[0] === name))
      .map(({ name, description = '' }) => ({ name, about: description })),
    topics: topics.map(({ name, summary }) => ({ name, about: summary })),
  }
  return scripts[shell](line)
}
