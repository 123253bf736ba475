// The argument and the flags of the commands about a database's tables.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { tableGenerations } from '../connectors/postgres/settings.ts'
import { jsonFlags, modelReference } from './flags.ts'

export const databaseArgument = {
  address: Args.string({
    default: 'postgres://',
    description: 'postgres://user@host:5432/database; postgres:// alone means the DB_* or PG* variables',
  }),
}

export const databaseFlags = {
  'dry-run': Flags.boolean({ description: 'print the SQL, change nothing' }),
  ...jsonFlags,
}

export const initFlags = {
  tables: Flags.option({
    options: tableGenerations,
    description: 'which tables: those of 2021 (the default), or the partitioned ones of 2025',
  })(),
  'with-history': Flags.boolean({
    description: 'tables of 2021: also create the table that lets the newer alert win',
  }),
  register: Flags.boolean({
    description: 'multisurvey: also add the model to classifier and taxonomy',
  }),
  calibrated: Flags.boolean({
    description: 'with --register: also add the classifier of calibrated probabilities',
  }),
  model: Flags.string({
    char: 'm',
    env: 'LCCLF_MODEL',
    helpValue: 'REF',
    description: `for --register: ${modelReference} (default: lcclf.lock, or else the newest in the store)`,
  }),
  ...databaseFlags,
}
