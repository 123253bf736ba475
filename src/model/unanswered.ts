// Rows that a model has no numbers for are not classified.
import { type ClassifiedBatch, pickRows, type Reject } from '../pipeline/batch.ts'

/**
 * Takes rows out of a batch, and rejects them: no rank, no class and no column of a table could be made of them.
 *
 * @param whyNot why a row has no answer; undefined for one that has
 */
export function withoutUnanswered(
  batch: ClassifiedBatch,
  whyNot: (row: number) => string | undefined,
): ClassifiedBatch {
  const { probabilities, margins, taxonomy, oids, candids, mjds, echo, messages } = batch
  const rows: number[] = []
  const unanswered: Reject[] = []
  oids.forEach((oid, row) => {
    const reason = whyNot(row)
    if (reason === undefined) return void rows.push(row)
    unanswered.push({ oid, where: oid, reason, message: messages?.[row], candid: candids[row] ?? undefined })
  })
  return {
    ...batch,
    rowCount: rows.length,
    oids: rows.map((row) => oids[row]!),
    candids: rows.map((row) => candids[row]!),
    mjds: mjds && pickRows(mjds, rows, 1),
    probabilities: probabilities.map((level, i) => pickRows(level, rows, taxonomy.levels[i]!.classes.length)),
    ...(margins ? { margins: pickRows(margins, rows, taxonomy.margins!.length) } : {}),
    echo: echo && { names: echo.names, values: pickRows(echo.values, rows, echo.names.length) },
    messages: messages && rows.map((row) => messages[row]!),
    unanswered,
  }
}
