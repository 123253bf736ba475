// lcclf db check: can results go there, and is what is there whole?
import { BaseCommand } from '../../terminal/base-command.ts'
import { databaseArgument, databaseFlags } from '../../terminal/flags.ts'
import { checkTables } from '../../jobs/db.ts'

export default class DbCheck extends BaseCommand {
  static override summary = 'Look at the tables of a database, and at what is stored in them'

  static override description = `Tables, columns, types, constraints, privileges of this role, rows by classifier version, objects with a part of their
rows only, and whether taxonomy and stored classes agree. Changes nothing. Exit 5 if something keeps lcclf from writing or
is wrong.`

  static override examples = ['<%= config.bin %> db check postgres://writer@localhost/alerts']

  static override args = databaseArgument

  static override flags = { json: databaseFlags.json }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DbCheck)
    process.exitCode = await checkTables(args.address, flags)
  }
}
