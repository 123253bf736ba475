// A source of your own: rows that a program makes, as batches with an acknowledgement. node --import tsx examples/custom-source.ts
import { preprocess, runClassify, type OpenSource } from 'lcclf'

/** Where rows might come from: a queue, another database, a simulation. */
async function* rowsOfMine(): AsyncGenerator<{ oid: string; features: Record<string, number | undefined> }> {
  for (let i = 0; i < 250; i++) yield { oid: `mine-${i}`, features: { 'W1-W2': i / 100, 'g-r_mean': 0.5 } }
}

/** Asked for the model's features, in the model's order. */
const openMine: OpenSource = async ({ features, preprocessing, batchSize }) => ({
  identity: { address: 'rows of mine' },
  schema: { oidType: 'string', hasCandid: false },
  replayable: false,
  async *deliveries(signal) {
    let oids: string[] = []
    let values: number[] = []
    const delivery = () => {
      const batch = { rowCount: oids.length, oids, candids: oids.map(() => null), matrix: Float32Array.from(values) }
      const read = oids.length
      oids = []
      values = []
      // called once every output has these rows: the place to remember how far you got
      const ack = async () => console.log(`${read} rows are safe`)
      return { batch, read, rejected: [], duplicates: 0, ack }
    }
    for await (const { oid, features: given } of rowsOfMine()) {
      if (signal.aborted) return
      oids.push(oid)
      // a missing feature is NaN; preprocessing is the model's own
      for (const feature of features) values.push(preprocess(given[feature] ?? NaN, preprocessing))
      if (oids.length === batchSize) yield delivery()
    }
    if (oids.length > 0) yield delivery()
  },
  async close() {},
})

const [output = 'classified.ndjson'] = process.argv.slice(2)
const receipt = await runClassify({ inputs: [openMine], to: [output], batchSize: 100, overwrite: true })
console.log(`${receipt.outputs[0]!.objects} objects in ${output}`)
