// A sink of your own: it counts the classes, beside a file that lcclf writes. node --import tsx examples/custom-sink.ts
import { runClassify, type OpenSink } from 'lcclf'

const counts = new Map<string, number>()

/** Opened once the model is known; `taxonomy.levels[0]` are the leaf classes. */
const countClasses: OpenSink = async ({ taxonomy }) => {
  const { classes } = taxonomy.levels[0]!
  return {
    address: 'class counts',
    // what was written is safe when `write` resolves; 'on-finish' would be right for something that appears at the end
    durable: 'on-write',
    async write({ rowCount, probabilities: [leaves] }) {
      for (let row = 0; row < rowCount; row++) {
        const values = leaves!.subarray(row * classes.length, (row + 1) * classes.length)
        // the first maximum wins
        const name = classes[values.indexOf(Math.max(...values))]!
        counts.set(name, (counts.get(name) ?? 0) + 1)
      }
      // objects + refused + superseded must be what was offered, or the receipt does not balance
      return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
    },
    async finish() {},
    async publish() {},
    async close() {},
  }
}

const [input = 'samples/ztf-300.parquet', output = 'classified.csv'] = process.argv.slice(2)
const receipt = await runClassify({ inputs: [input], to: [output, countClasses], overwrite: true })
for (const [name, count] of [...counts].sort(([, a], [, b]) => b - a)) console.log(`${name} ${count}`)
console.log(`balanced: ${receipt.balanced}`)
