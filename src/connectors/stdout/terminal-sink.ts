// What a person at a terminal sees who named no output: counts, the first rows, and how to get a file.
import type { Writable } from 'node:stream'
import { type ClassifiedBatch, firstMaximum } from '../../pipeline/classified-batch.ts'
import type { Sink, SinkContext } from '../../pipeline/sink.ts'
import { openStandardOutput } from './standard-output.ts'
import { type ShownObject, terminalReport } from './terminal-report.ts'

const shownRows = 10

/** Keeps class counts and the first ten objects; prints them at `publish`. */
export function openTerminalSink(context: SinkContext, stream: Writable & { fd?: number }): Sink {
  const { taxonomy, schema } = context
  const classes = taxonomy.levels[0]?.classes ?? []
  const counts = new Float64Array(classes.length)
  const first: ShownObject[] = []
  const output = openStandardOutput(stream)

  function count(batch: ClassifiedBatch): void {
    const product = batch.probabilities[0]!
    for (let row = 0; row < batch.rowCount; row++) {
      const winner = firstMaximum(product, row * classes.length, classes.length)
      counts[winner]!++
      if (first.length < shownRows) first.push(shownObject(batch, row, winner))
    }
  }

  return {
    address: '-',
    durable: 'on-finish',
    get isGone() {
      return output.isGone ?? false
    },
    write(batch) {
      count(batch)
      return Promise.resolve({ objects: batch.rowCount, rows: batch.rowCount, refused: [], superseded: 0 })
    },
    finish: () => Promise.resolve(),
    async publish() {
      const report = terminalReport({ taxonomy, counts, first, hasCandid: schema.hasCandid })
      await output.write(Buffer.from(report))
      await output.finish()
    },
    close: () => output.close(),
  }
}

function shownObject(batch: ClassifiedBatch, row: number, winner: number): ShownObject {
  const [product, top] = batch.taxonomy.levels
  const width = product!.classes.length
  const topWidth = top?.classes.length ?? 0
  return {
    oid: batch.oids[row]!,
    candid: batch.candids[row] ?? null,
    className: product!.classes[winner]!,
    probability: batch.probabilities[0]![row * width + winner]!,
    top: top ? [...batch.probabilities[1]!.subarray(row * topWidth, (row + 1) * topWidth)] : [],
  }
}
