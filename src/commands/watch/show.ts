// lcclf watch show: what the night watch has learned, and what it has found.
import { showWatch } from '../../jobs/watch/watch.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased } from '../../terminal/flags.ts'
import { watchStateFlags } from '../../terminal/watch-flags.ts'

export default class WatchShow extends BaseCommand {
  static override summary = 'Show what the night watch has learned and found'
  static override description =
    'Prints, for each model and version of its inputs, from how many objects it is known what is usual, and the alarms that are open, each with the id that lcclf watch accept takes.'
  static override examples = ['lcclf watch show', 'lcclf watch show --watch-state night.json --json']
  static override flags = watchStateFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(WatchShow)
    process.exitCode = await showWatch(camelCased(flags))
  }
}
