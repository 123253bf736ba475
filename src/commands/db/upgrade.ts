// lcclf db upgrade: what lcclf adds to a database that has the pipeline's tables.
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument, databaseFlags } from '../../terminal/flags.ts'
import { upgradeTables } from '../../jobs/db.ts'

export default class DbUpgrade extends BaseCommand {
  static override summary = 'Add the table by which the newer alert wins to tables that exist'

  static override description = `The probability table knows no candid, so a replay of old alerts replaces newer classifications. This adds a table of
lcclf's own beside it (oid, classifier_version, candid, run, time) and changes nothing else. Roles that may insert into
probability may use it too. A running stream takes it up with its next batch. What is stored already has no row in it: it is
guarded once it is written again.`

  static override examples = ['<%= config.bin %> db upgrade postgres://owner@localhost/alerts']

  static override args = databaseArgument

  static override flags = databaseFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbUpgrade)
    process.exitCode = await upgradeTables(args.address, { isDryRun: flags['dry-run'], json: flags.json })
  }
}
