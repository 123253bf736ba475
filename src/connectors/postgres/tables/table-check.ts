// One thing that `db check` examines, and looks at rows that may take too long.
import { messageOf, systemCode } from '../../../errors.ts'
import type { Connection } from '../client/connection.ts'

/** One thing that was examined. */
export interface TableCheck {
  readonly name: string
  /** `note`: works, but somebody may want to know */
  readonly state: 'ok' | 'note' | 'problem'
  readonly detail: string
  readonly hint?: string | undefined
}

export type Rows = readonly (readonly unknown[])[]

/** The rows of a statement, or what is said where it takes too long. */
export async function tolerated(
  connection: Connection,
  name: string,
  statement: string,
): Promise<{ rows: Rows } | { rows?: never; check: TableCheck }> {
  await connection.run('SAVEPOINT look')
  try {
    return { rows: await connection.rows(statement) }
  } catch (error) {
    // 57014: the statement timeout
    if (systemCode(error) !== '57014') throw error
    await connection.run('ROLLBACK TO SAVEPOINT look')
    const detail = `not examined: ${messageOf(error)}`
    return { check: { name, state: 'note', detail, hint: 'Raise ?statement_timeout=.' } }
  }
}
