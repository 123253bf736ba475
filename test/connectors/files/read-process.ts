// Run by tests: reads stdin as a source and says what it read, as JSON.
import { LcclfError } from '../../../src/errors.ts'
import { newestOnly } from '../../../src/pipeline/newest-only.ts'
import { openSource } from '../../../src/connectors/open-connector.ts'
import type { SourceSpec } from '../../../src/connectors/spec.ts'
import { readOptions } from '../../support/objects.ts'

const [format, mode] = process.argv.slice(2) as [Extract<SourceSpec, { kind: 'stdin' }>['format'], string | undefined]
const options = readOptions(mode === 'limit' ? { allowance: { remaining: 5 } } : {})

try {
  const source = await openSource({ kind: 'stdin', address: '-', format }, options)
  const controller = new AbortController()
  const chosen = mode === 'newest' ? newestOnly(source, options) : source
  const oids: string[] = []
  const wheres: string[] = []
  if (mode === 'abort') setTimeout(() => controller.abort(), 300)
  for await (const { batch, rejected } of chosen.deliveries(controller.signal)) {
    oids.push(...batch.oids)
    wheres.push(...rejected.map(({ where }) => where))
  }
  await source.close()
  console.log(JSON.stringify({ identity: source.identity, replayable: source.replayable, oids, wheres }))
} catch (error) {
  if (!(error instanceof LcclfError)) throw error
  console.log(JSON.stringify({ error: error.message, exitCode: error.exitCode, hint: error.hint }))
}
