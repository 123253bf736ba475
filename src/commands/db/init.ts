// lcclf db init: the pipeline's tables in an empty database.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument, databaseFlags } from '../../terminal/flags.ts'
import { initTables } from '../../jobs/db.ts'

export default class DbInit extends BaseCommand {
  static override summary = 'Make the tables of the pipeline that a database does not have yet'

  static override description = `Creates object, step, feature_version, feature, taxonomy and probability with the names, constraints and indexes that
dashboards and other programs know. What exists is left alone, whatever it looks like: lcclf db check tells.
With --with-history also the table that keeps a replay of old alerts from replacing a newer classification.`

  static override examples = [
    '<%= config.bin %> db init postgres://owner@localhost/alerts --with-history',
    {
      description: 'Look at the SQL first',
      command: '<%= config.bin %> db init postgres://owner@localhost/alerts --dry-run',
    },
  ]

  static override args = databaseArgument

  static override flags = {
    'with-history': Flags.boolean({ description: 'also the table by which the newer alert wins' }),
    ...databaseFlags,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbInit)
    process.exitCode = await initTables(args.address, {
      withHistory: flags['with-history'],
      isDryRun: flags['dry-run'],
      json: flags.json,
    })
  }
}
