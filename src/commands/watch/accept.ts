// lcclf watch accept: what an alarm tells is usual from now on.
import * as Args from '@oclif/core/args'
import { acceptWatch } from '../../jobs/watch/watch.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased } from '../../terminal/flags.ts'
import { watchStateFlags } from '../../terminal/watch-flags.ts'

export default class WatchAccept extends BaseCommand {
  static override summary = 'Accept what the night watch found as usual from now on'
  static override description =
    'Closes open alarms, and forgets what was usual of what they are about: it is learned anew from what comes. Streams that run take it over within a minute.'
  static override examples = [
    { description: 'That WISE is missing', command: "lcclf watch accept 'WISE colours'" },
    { description: 'Everything that is open', command: 'lcclf watch accept all' },
  ]
  static override args = {
    what: Args.string({
      required: true,
      multiple: true,
      description: 'an id that lcclf watch show prints, a family, a feature, a class, or all',
    }),
  }
  static override flags = watchStateFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WatchAccept)
    process.exitCode = await acceptWatch(args.what, camelCased(flags))
  }
}
