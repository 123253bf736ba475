// A process of its own that writes results: for tests of signals, closed pipes and limits.
import { setTimeout } from 'node:timers/promises'
import { LcclfError } from '../../../src/errors.ts'
import { openSink } from '../../../src/connectors/open-connector.ts'
import type { SinkSpec } from '../../../src/connectors/spec.ts'
import { contextOf, goldenBatch } from '../../support/classified-samples.ts'

const [, , specText = '', batches = '1', ending = 'publish'] = process.argv
const spec = JSON.parse(specText) as SinkSpec

try {
  const sink = await openSink(spec, contextOf({ oidType: 'string', hasCandid: true }))
  try {
    for (let i = 0; i < Number(batches) && sink.isGone !== true; i++) await sink.write(goldenBatch(0, 24))
    if (ending === 'kill') process.kill(process.pid, 'SIGKILL')
    await sink.finish()
    if (ending === 'kill-finished') process.kill(process.pid, 'SIGKILL')
    // another writer has time to take the name
    if (ending === 'wait') await setTimeout(Number(process.argv[5]))
    await sink.publish()
    process.stderr.write(sink.isGone === true ? 'gone\n' : 'published\n')
  } finally {
    await sink.close()
  }
} catch (error) {
  if (!(error instanceof LcclfError)) throw error
  process.stderr.write(`${error.code}: ${error.message}\n`)
  process.exitCode = error.exitCode
}
