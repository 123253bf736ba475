// lcclf db init: the pipeline's tables in an empty database.
import { initTables } from '../../jobs/db.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument, initFlags } from '../../terminal/database-flags.ts'
import { camelCased } from '../../terminal/flags.ts'

export default class DbInit extends BaseCommand {
  static override summary = "Create those of the pipeline's tables that a database lacks"
  static override description =
    'Creates object, step, feature_version, feature, taxonomy and probability with the names, constraints and indexes that dashboards and other programs know. Existing tables are left as they are, whatever they look like; lcclf db check examines them. With --with-history it also creates the table that keeps a replay of old alerts from replacing a newer classification. With --tables multisurvey it creates the tables of 2025 in their place, in partitions, and --register adds a model to classifier and taxonomy, which must know it before results can be written.'
  static override examples = [
    'lcclf db init postgres://owner@localhost/alerts --with-history',
    'lcclf db init postgres://owner@localhost/alerts --tables multisurvey --register --model squidward@2.1.0',
    {
      description: 'Look at the SQL first',
      command: 'lcclf db init postgres://owner@localhost/alerts --dry-run',
    },
  ]
  static override args = databaseArgument
  static override flags = initFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbInit)
    process.exitCode = await initTables(args.address, camelCased(flags))
  }
}
