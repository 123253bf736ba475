// lcclf completion: what makes the shell complete commands, flags and their values.
import * as Args from '@oclif/core/args'
import { BaseCommand } from '../terminal/base-command.ts'
import { completionScript, shells } from '../terminal/completion/script.ts'
import { print } from '../terminal/standard-streams.ts'

export default class Completion extends BaseCommand {
  static override summary = 'Print what makes your shell complete commands, flags and values'
  static override description =
    'Prints a script for the shell, which completes commands, flags, the values of flags, and names of files. It is made from the commands of this version: print it again after an upgrade, or let the shell do so each time it starts.'
  static override examples = [
    { description: 'bash: in ~/.bashrc', command: 'eval "$(lcclf completion bash)"' },
    { description: 'zsh: in ~/.zshrc, after compinit', command: 'source <(lcclf completion zsh)' },
    { description: 'fish: once', command: 'lcclf completion fish > ~/.config/fish/completions/lcclf.fish' },
  ]
  static override args = {
    shell: Args.string({ options: [...shells], required: true, description: 'the shell that is to read it' }),
  }

  async run(): Promise<void> {
    const { args } = await this.parse(Completion)
    const shell = shells.find((name) => name === args.shell)!
    await print(completionScript(shell, this.config))
  }
}
