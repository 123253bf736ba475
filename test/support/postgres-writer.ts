// A process that writes one batch: for tests that kill it. Arguments: address, number of objects, seed.
import { parsePostgresAddress } from '../../src/connectors/postgres/address.ts'
import { openPostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { batchOf, context, oidsOf } from './postgres-batches.ts'

const [address, count, seed] = process.argv.slice(2)
const { connection } = parsePostgresAddress(address!, {}, 'output')
const sink = await openPostgresSink(
  { kind: 'postgres', address: 'postgres://here', connection, missingObject: 'fail' },
  context,
)
const outcome = await sink.write(batchOf(oidsOf(Number(count)), Number(seed)))
process.stdout.write(JSON.stringify(outcome))
await sink.close()
