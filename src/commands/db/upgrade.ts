// lcclf db upgrade: what lcclf adds to a database that has the pipeline's tables.
import { upgradeTables } from '../../jobs/db.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument, databaseFlags } from '../../terminal/database-flags.ts'
import { camelCased } from '../../terminal/flags.ts'

export default class DbUpgrade extends BaseCommand {
  static override summary = 'Add the table that lets the newer alert win to existing tables'
  static override description =
    "The probability table has no candid, so a replay of old alerts replaces newer classifications. This adds a table of lcclf's own beside it (oid, classifier_version, candid, run, time) and changes nothing else. Roles that may insert into probability may use it too. A running stream starts using it with its next batch. What is stored already has no row in it, and is protected once it is written again."
  static override examples = ['lcclf db upgrade postgres://owner@localhost/alerts']
  static override args = databaseArgument
  static override flags = databaseFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbUpgrade)
    process.exitCode = await upgradeTables(args.address, camelCased(flags))
  }
}
