// Rows that a model has no numbers for are not classified.
import { type ClassifiedBatch, pickObjects, type Reject } from '../pipeline/batch.ts'

/**
 * Takes rows out of a batch, and rejects them: no rank, no class and no column of a table could be made of them.
 *
 * @param whyNot why a row has no answer; undefined for one that has
 */
export function withoutUnanswered(
  batch: ClassifiedBatch,
  whyNot: (row: number) => string | undefined,
): ClassifiedBatch {
  const { oids, candids, messages } = batch
  const rows: number[] = []
  const unanswered: Reject[] = []
  oids.forEach((oid, row) => {
    const reason = whyNot(row)
    if (reason === undefined) return void rows.push(row)
    unanswered.push({ oid, where: oid, reason, message: messages?.[row], candid: candids[row] ?? undefined })
  })
  return { ...pickObjects(batch, rows), unanswered }
}
