// Which of the survey's two generations of tables a database has: the columns of `probability` say it.
import { ServiceError } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'
import { serverName, type TableGeneration } from '../settings.ts'
import { inspectTables, type TableFacts } from './inspect-tables.ts'

/**
 * @param named what the address says (`?tables=`), if it says anything
 * @returns what is there; what is named, else the tables of 2021, if `probability` is absent or neither's
 * @throws ServiceError if the other generation's table is there
 */
export async function recogniseTables(
  connection: Connection,
  named: TableGeneration | undefined,
): Promise<TableGeneration> {
  const [probability] = await inspectTables(connection, ['probability'])
  const found = probability && generationOf(probability)
  if (found === undefined) return named ?? 'alerce-2021'
  if (named === undefined || named === found) return found
  throw new ServiceError(
    `${serverName(connection.settings)}: table probability has the columns of ${found}, and ${named} was asked for`,
    { hint: 'Ask for none of them, or name the schema that has the others: ?options=-c search_path=SCHEMA.' },
  )
}

function generationOf({ columns }: TableFacts): TableGeneration | undefined {
  const has = (wanted: string): boolean => columns.some(({ name }) => name === wanted)
  if (has('classifier_id') && has('class_id')) return 'multisurvey'
  return has('classifier_name') || has('class_name') ? 'alerce-2021' : undefined
}
