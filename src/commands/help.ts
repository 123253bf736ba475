// lcclf help: what people type before they know --help.
import * as Args from '@oclif/core/args'
import { BaseCommand } from '../terminal/base-command.ts'
import PlainHelp from '../terminal/help.ts'

export default class Help extends BaseCommand {
  static override summary = 'Show how a command is used'
  static override examples = ['lcclf help', 'lcclf help classify', 'lcclf help model import', 'lcclf help exit-codes']
  static override args = {
    command: Args.string({
      multiple: true,
      description: 'a command, a group of them, formats, addresses or exit-codes',
    }),
  }

  async run(): Promise<void> {
    const { args } = await this.parse(Help)
    await new PlainHelp(this.config).showHelp(args.command ?? [])
  }
}
