// Rows that a model has no numbers for are not classified.
import type { ClassifiedBatch } from '../../pipeline/classified-batch.ts'
import type { Reject } from '../../pipeline/batch.ts'
import { pickRows } from '../../pipeline/pick-rows.ts'

const reason = 'the model answers with what is no number'

/**
 * Takes rows with a NaN or an infinity among their probabilities out of a batch, and rejects them: no rank, no class and
 * no column of a table could be made of them. Networks and regressions answer so to NaN and to very large features; a
 * forest never does.
 */
export function withoutUnanswered(batch: ClassifiedBatch): ClassifiedBatch {
  const { probabilities, taxonomy, oids, candids, echo, messages } = batch
  if (probabilities.every((level) => level.every(Number.isFinite))) return batch
  const widths = taxonomy.levels.map(({ classes }) => classes.length)
  const isAnswered = (row: number): boolean =>
    probabilities.every((level, i) => level.subarray(row * widths[i]!, (row + 1) * widths[i]!).every(Number.isFinite))
  const rows: number[] = []
  const unanswered: Reject[] = []
  oids.forEach((oid, row) => {
    if (isAnswered(row)) return void rows.push(row)
    unanswered.push({ oid, where: oid, reason, message: messages?.[row], candid: candids[row] ?? undefined })
  })
  return {
    ...batch,
    rowCount: rows.length,
    oids: rows.map((row) => oids[row]!),
    candids: rows.map((row) => candids[row]!),
    probabilities: probabilities.map((level, i) => pickRows(level, rows, widths[i]!)),
    echo: echo && { names: echo.names, values: pickRows(echo.values, rows, echo.names.length) },
    messages: messages && rows.map((row) => messages[row]!),
    unanswered,
  }
}
