// lcclf db check: can results go there, and is what is there whole?
import { checkTables } from '../../jobs/db.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument } from '../../terminal/database-flags.ts'
import { jsonFlags } from '../../terminal/flags.ts'

export default class DbCheck extends BaseCommand {
  static override summary = 'Check the tables of a database and what is stored in them'
  static override description =
    "Looks at tables, columns, types, constraints, this role's privileges, rows per classifier version, objects with only some of their rows, and whether the taxonomy matches the stored classes. Changes nothing. Exits with 5 if something is wrong or keeps lcclf from writing."
  static override examples = ['lcclf db check postgres://writer@localhost/alerts']
  static override args = databaseArgument
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbCheck)
    process.exitCode = await checkTables(args.address, flags)
  }
}
