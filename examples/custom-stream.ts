// A stream with an output of your own: supernovae are printed as they arrive, offsets are committed behind them.
// node --import tsx examples/custom-stream.ts 'kafka://broker:9092/features?group=mine' (needs a model in the store, or LCCLF_MODEL)
import { InterruptedError, runStream, type OpenSink } from 'lcclf'

const openSupernovae: OpenSink = async ({ taxonomy }) => {
  const { classes } = taxonomy.levels[0]!
  const wanted = classes.flatMap((name, index) => (name.startsWith('SN') ? [index] : []))
  return {
    address: 'supernovae',
    durable: 'on-write',
    async write({ rowCount, oids, candids, probabilities: [leaves] }) {
      for (let row = 0; row < rowCount; row++) {
        const likely = wanted.reduce((sum, index) => sum + leaves![row * classes.length + index]!, 0)
        console.log(JSON.stringify({ oid: oids[row], candid: String(candids[row]), supernova: likely }))
      }
      return { objects: rowCount, rows: rowCount, refused: [], superseded: 0 }
    },
    async finish() {},
    async publish() {},
    async close() {},
  }
}

const stopping = new AbortController()
process.once('SIGTERM', () => stopping.abort('SIGTERM'))
process.once('SIGINT', () => stopping.abort('SIGINT'))
try {
  await runStream({
    from: process.argv[2],
    to: [openSupernovae],
    model: process.env['LCCLF_MODEL'],
    untilCaughtUp: process.argv.includes('--until-caught-up'),
    signal: stopping.signal,
    onMessage: (severity, message) => console.error(`${severity}: ${message}`),
  })
} catch (error) {
  if (!(error instanceof InterruptedError)) throw error
}
