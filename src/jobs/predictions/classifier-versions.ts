// Whose results a file holds: the classifier versions in it.
import { DataError } from '../../errors.ts'
import { openRelation } from './relation.ts'
import { resultFile } from './result-file.ts'
import { openSession } from './session.ts'

const shown = 10

/**
 * The classifier versions of a file of results, or of an object, in any format and layout; of many some. None for results
 * of no rows.
 *
 * @throws DataError for what holds no results or cannot be read; UsageError, ServiceError as resultFile
 */
export async function classifierVersionsIn(address: string): Promise<readonly string[]> {
  const { file } = await resultFile(address)
  const session = await openSession({ isShared: true })
  try {
    const { sql, columns } = await openRelation(session, file, 'versions')
    const column = columns.find(({ path: [name, ...inner] }) => name === 'classifier_version' && inner.length === 0)
    if (!column) throw new DataError(`${address} holds no results`)
    const rows = await session.rows(
      `SELECT DISTINCT CAST(${column.sql} AS VARCHAR) FROM ${sql} LIMIT ${shown}`,
      address,
    )
    return rows.map(([version]) => String(version))
  } finally {
    session.close()
  }
}
