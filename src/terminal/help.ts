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
}
