// lcclf check: what classify would make of inputs, before it does.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../terminal/base-command.ts'
import { check } from '../jobs/check/check.ts'
import { inputFlags, modelFlag, timeWindowFlags } from '../terminal/flags.ts'

export default class Check extends BaseCommand {
  static override summary = 'Check inputs before they are classified: columns, types, ids, values'

  static override description = `Reads inputs once and says everything at once: features that are missing and what they may be called here, columns that
hold no numbers, ids that are there twice or lost digits in a float, rows that would be rejected. Where the model has a
profile of its usual inputs (lcclf model import --profile), also features that are null far more often than usual, lie
outside of the usual range, or look like another unit.

Exits 0 if classify would run, with or without warnings, and 3 if it would not. Repeated ids are found among the first
eight million rows.`

  static override examples = [
    '<%= config.bin %> check night.parquet --model ./bundle',
    {
      description: "A file with the survey's names of today",
      command: '<%= config.bin %> check night.parquet --rename-map alerce-2024',
    },
  ]

  static override args = {
    input: Args.string({ name: 'INPUT', description: 'as for classify', multiple: true }),
  }

  static override flags = {
    ...modelFlag,
    'from-format': inputFlags['from-format'],
    'id-column': inputFlags['id-column'],
    'candid-column': inputFlags['candid-column'],
    rename: inputFlags.rename,
    'rename-map': inputFlags['rename-map'],
    where: inputFlags.where,
    limit: inputFlags.limit,
    ...timeWindowFlags('of Kafka'),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Check)
    process.exitCode = await check({
      inputs: args.input ?? [],
      model: flags.model,
      fromFormat: flags['from-format'],
      idColumn: flags['id-column'],
      candidColumn: flags['candid-column'],
      renames: new Map((flags.rename ?? []).map(({ from, to }) => [from, to])),
      renameMap: flags['rename-map'],
      where: flags.where,
      limit: flags.limit,
      since: flags.since,
      until: flags.until,
      on: flags.on,
      json: flags.json,
    })
  }
}
