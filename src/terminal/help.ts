// Help pages: oclif's, with flags in the order of their definitions and the summary once (oclif repeats it in the description),
// and pages about what is no command.
import { CommandHelp, Help } from '@oclif/core/help'
import { type HelpTopic, topics } from './help-topics.ts'

class PlainCommandHelp extends CommandHelp {
  override description(): string | undefined {
    const { description } = this.command
    return description === undefined ? undefined : this.wrap(description)
  }

  /** A text that stands below its flag is indented by two more than oclif has wrapped it for. */
  override renderList(...[pairs, options]: Parameters<CommandHelp['renderList']>): string {
    const list = super.renderList(pairs, options)
    const isTooWide = list.split('\n').some((line) => line.length > this.opts.maxWidth - options.indentation)
    return isTooWide ? super.renderList(pairs, { ...options, indentation: options.indentation + 2 }) : list
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
    const topic = second === undefined ? topics.find(({ name }) => name === first) : undefined
    if (topic) return this.log(`${await this.pageOf(topic)}\n`)
    const isKnown =
      first === undefined ||
      config.findCommand(first) !== undefined ||
      (second === undefined ? config.findTopic(first) : config.findCommand(`${first}:${second}`)) !== undefined
    if (!isKnown) await config.runHook('command_not_found', { id: [first, second ?? []].flat().join(':') })
    return super.showHelp(argv)
  }

  protected override async showRootHelp(): Promise<void> {
    await super.showRootHelp()
    const pairs = topics.map(({ name, summary }): [string, string] => [`help ${name}`, summary])
    this.log(`${this.section('MORE HELP', this.pairs(pairs))}\n`)
  }

  private async pageOf({ name, summary }: HelpTopic): Promise<string> {
    const { pages } = await import('./help-pages.ts')
    const parts = pages[name].map((section) =>
      this.section(section.heading, 'text' in section ? this.wrap(section.text) : this.pairs(section.pairs)),
    )
    return [summary, ...parts].join('\n\n')
  }

  private pairs(pairs: readonly (readonly [string, string])[]): string {
    const { stripAnsi = false } = this.opts
    return this.renderList(pairs as [string, string][], { spacer: '\n', stripAnsi, indentation: 2 })
  }
}
