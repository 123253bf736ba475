// lcclf check: what classify would make of inputs, before it does.
import * as Args from '@oclif/core/args'
import { check } from '../jobs/check/check.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased, checkFlags } from '../terminal/flags.ts'

export default class Check extends BaseCommand {
  static override summary = 'Check inputs before classifying them: columns, types, ids, values'
  static override description = [
    'Reads the inputs once and reports every problem at once: missing features and what they may be called here, columns that hold no numbers, repeated ids, ids that lost digits in a float, rows that would be rejected. If the model has a profile of its typical inputs (lcclf model import --profile), it also reports features that are null far more often than usual, lie outside the usual range, or look like another unit.',
    'Exits with 0 if classify would run, with or without warnings, and with 3 if it would not. Repeated ids are found among the first two million rows.',
  ].join('\n\n')
  static override examples = [
    'lcclf check night.parquet --model ./bundle',
    {
      description: "A file with the survey's current names",
      command: 'lcclf check night.parquet --rename-map alerce-2024',
    },
  ]
  static override args = { input: Args.string({ description: 'as for classify', multiple: true }) }
  static override flags = checkFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Check)
    process.exitCode = await check(args.input ?? [], camelCased(flags))
  }
}
