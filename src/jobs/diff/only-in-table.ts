// only_in.csv: every object that one side of a comparison has and the other lacks, streamed past our memory.
import { randomBytes } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { onlyInSql } from './joined-sides.ts'
import { messageOf, ServiceError, systemCode } from '../../errors.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { sqlText } from '../../connectors/files/duckdb.ts'
import { firstLine } from '../../formats/shown-text.ts'

/**
 * Writes `side` (a, b) and `oid`, by side and oid; it is there whole or not at all.
 *
 * @throws ServiceError for a folder or a disk that does not take it
 */
export async function writeOnlyIn(
  session: Session,
  [a, b]: readonly [Predictions, Predictions],
  folder: string,
): Promise<void> {
  const path = resolve(folder, 'only_in.csv')
  const temporary = join(folder, `.only_in.csv.${randomBytes(6).toString('hex')}.partial`)
  const rows = `SELECT 'a' AS side, oid FROM (${onlyInSql(a, b)}) UNION ALL SELECT 'b', oid FROM (${onlyInSql(b, a)})`
  try {
    await mkdir(folder, { recursive: true })
    await session.connection.run(
      `COPY (${rows} ORDER BY ALL) TO ${sqlText(resolve(temporary))} (FORMAT csv, HEADER true, USE_TMP_FILE false)`,
    )
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw new ServiceError(`${folder}: cannot be written (${systemCode(cause) ?? firstLine(messageOf(cause))})`, {
      cause,
    })
  }
}
