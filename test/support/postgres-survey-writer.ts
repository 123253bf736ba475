// A process that writes batches into the survey's tables until it is killed. Arguments: address, number of objects, seed.
import { parsePostgresAddress } from '../../src/connectors/postgres/address.ts'
import { openPostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { surveyBatch, surveyContext } from './multisurvey-batches.ts'
import { oidsOf } from './postgres-batches.ts'

const [address, count, seed] = process.argv.slice(2)
const { connection } = parsePostgresAddress(address!, {}, 'output')
const sink = await openPostgresSink(
  { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail' },
  surveyContext,
)
const oids = oidsOf(Number(count))
for (let round = 0; ; round++) {
  // some objects are new, some are changed, all are newer than before
  const some = oids.slice(0, 100 + ((round * 37) % oids.length))
  await sink.write(surveyBatch(some, Number(seed) + round, 60_000 + round))
  process.stdout.write(`${round}\n`)
}
