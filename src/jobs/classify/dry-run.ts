// --dry-run: what would be done, with model and inputs really opened and nothing written.
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Classifier } from '../../pipeline/classifier.ts'
import { UsageError } from '../../errors.ts'
import type { SinkSpec } from '../../connectors/spec.ts'
import { redacted } from '../../formats/shown-text.ts'
import { createInputOpener } from './open-inputs.ts'
import { type ClassifyPlan, fileInFolder } from './plan.ts'
import { resultPlace } from './result-place.ts'
import type { Selection } from './select-inputs.ts'

/** Prints the plan, as text or with --json as one object, and answers the exit code. */
export async function describeRun(plan: ClassifyPlan, selection: Selection, classifier: Classifier): Promise<number> {
  await checkOutputs(plan)
  const opener = createInputOpener(plan, classifier, { isForSchema: true })
  const inputs: { address: string; size: number | null; candid: boolean; result: string | null }[] = []
  for (const input of selection.inputs) {
    const source = await opener.open(input)
    await source.close()
    const own = plan.folders.map((folder) => fileInFolder(folder, input.relativeName, true).address)
    const { identity, schema } = source
    inputs.push({
      address: redacted(identity.address),
      size: identity.size ?? null,
      candid: schema.hasCandid,
      result: own[0] ?? null,
    })
  }
  const { name, version, sha256 } = classifier.identity
  const outputs = [...plan.shared, ...plan.folders].map(({ address }) => redacted(address))
  const described = {
    schemaVersion: 1,
    command: 'classify',
    dryRun: true,
    model: { name, version, sha256 },
    options: plan.options,
    inputs,
    done: selection.done,
    outputs,
    exitCode: 0,
  }
  process.stdout.write(plan.json ? `${JSON.stringify(described)}\n` : textOf(described, classifier))
  return 0
}

function textOf(
  {
    model,
    inputs,
    outputs,
    done,
  }: {
    model: { name: string; version: string }
    inputs: readonly { address: string; size: number | null; result: string | null }[]
    outputs: readonly string[]
    done: number
  },
  classifier: Classifier,
): string {
  const lines = [
    `model    ${model.name} ${model.version}: ${classifier.features.length} features, ${classifier.taxonomy.levels[0]!.classes.length} classes, golden answers reproduced`,
    ...inputs.map(({ address, size, result }) => {
      const bytes = size === null ? '' : ` (${size.toLocaleString('en')} bytes)`
      return `input    ${address}${bytes}${result === null ? '' : ` → ${result}`}`
    }),
    ...(done > 0 ? [`done     ${done} inputs`] : []),
    ...outputs.map((address) => `output   ${address === '-' ? 'stdout' : address}`),
    'Nothing was written.',
  ]
  return `${lines.join('\n')}\n`
}

async function checkOutputs(plan: ClassifyPlan): Promise<void> {
  for (const spec of plan.shared) {
    if (spec.kind === 'postgres') await checkDatabase(spec)
    if (spec.kind === 's3' && !spec.overwrite) await refuseExistingObject(spec)
    if (spec.kind !== 'file') continue
    const folder = dirname(spec.path)
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw new UsageError(`${spec.path}: there is no folder ${folder}`, { hint: 'Make it first, or write elsewhere.' })
    }
    if (existsSync(spec.path) && !spec.overwrite) {
      throw new UsageError(`${spec.path} exists already`, { hint: 'Use --overwrite to replace it.' })
    }
  }
}

async function refuseExistingObject(spec: Extract<SinkSpec, { kind: 's3' }>): Promise<void> {
  if (await resultPlace(spec).exists()) {
    throw new UsageError(`${spec.address} exists already`, { hint: 'Use --overwrite to replace it.' })
  }
}

/** Can these tables be reached and written? Looks only. */
async function checkDatabase({ connection }: Extract<SinkSpec, { kind: 'postgres' }>): Promise<void> {
  const { inspectForWriting } = await import('../../connectors/postgres/tables/open-tables.ts')
  const { withDatabase } = await import('../../connectors/postgres/client/session.ts')
  await withDatabase(connection, (database) => inspectForWriting(database, true))
}
