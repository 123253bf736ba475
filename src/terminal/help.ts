// Help pages: oclif's, with flags in the order of their definitions and the summary once (oclif repeats it in the description).
import { CommandHelp, Help } from '@oclif/core/help'

class PlainCommandHelp extends CommandHelp {
  override description(): string | undefined {
    const { description } = this.command
    return description === undefined ? undefined : this.wrap(description)
  }
}

/** Loaded by oclif for `--help`, by the name of this file in package.json. */
export default class PlainHelp extends Help {
  protected override CommandHelpClass = PlainCommandHelp

  constructor(...[config, options]: ConstructorParameters<typeof Help>) {
    super(config, { ...options, flagSortOrder: 'none' })
  }

  /** What is no command is answered as it is without --help. */
  override async showHelp(argv: string[]): Promise<void> {
    const end = argv.findIndex((word) => word.startsWith('-'))
    const [first, second] = argv.slice(0, end === -1 ? undefined : end).flatMap((word) => word.split(':'))
    const { config } = this
    const isKnown =
      first === undefined ||
      config.findCommand(first) !== undefined ||
      (second === undefined ? config.findTopic(first) : config.findCommand(`${first}:${second}`)) !== undefined
    if (!isKnown) await config.runHook('command_not_found', { id: [first, second ?? []].flat().join(':') })
    return super.showHelp(argv)
  }
}
