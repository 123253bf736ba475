// Which of the inputs this run has to do: its shard of the files, and with --resume those that are not done.
import { existsSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import { UsageError } from '../errors.ts'
import type { SourceSpec } from '../sources/source.ts'
import { redacted } from './address.ts'
import type { Input } from './inputs.ts'
import { fileInFolder, refuseSharedNames, type ClassifyPlan } from './plan.ts'
import { reasonToClassify } from './resume.ts'

/** The inputs to do, and with --resume why each of them, and how many are done. */
export interface Selection {
  readonly inputs: readonly Input[]
  readonly reasons: ReadonlyMap<Input, string>
  readonly done: number
}

/**
 * Chooses the inputs of this run.
 *
 * @throws UsageError if two inputs have one result, a result exists already, or a flag does not go with an input's format
 */
export function selectInputs(plan: ClassifyPlan, all: readonly Input[], modelSha256: string): Selection {
  refuseWhere(plan, all)
  if (plan.folders.length === 0) return { inputs: all, reasons: new Map(), done: 0 }
  refuseSharedNames(
    plan.folders,
    all.map((input) => input.relativeName),
  )
  const { shard } = plan
  const mine = shard ? all.filter((input) => crc32(input.relativePath) % shard.count === shard.index) : all
  if (!plan.resume) {
    refuseExisting(plan, mine)
    return { inputs: mine, reasons: new Map(), done: 0 }
  }
  const reasons = new Map<Input, string>()
  for (const input of mine) {
    const reason = whyAgain(plan, input, modelSha256)
    if (reason !== undefined) reasons.set(input, reason)
  }
  return { inputs: mine.filter((input) => reasons.has(input)), reasons, done: mine.length - reasons.size }
}

function whyAgain(plan: ClassifyPlan, input: Input, modelSha256: string): string | undefined {
  for (const folder of plan.folders) {
    const { path: outputPath } = fileInFolder(folder, input.relativeName, true)
    const reason = reasonToClassify({ spec: input.spec, outputPath, modelSha256, options: plan.options })
    if (reason !== undefined) return reason
  }
  return undefined
}

function refuseWhere(plan: ClassifyPlan, inputs: readonly Input[]): void {
  if (plan.where === undefined) return
  const other = inputs.find(({ spec }) => !hasSql(spec))
  if (other) {
    const what = whatItIs(other.spec)
    throw new UsageError(
      `--where works on Parquet and on a Postgres query only, and ${redacted(other.spec.address)} is ${what}`,
      { hint: 'Filter the input before, convert it to Parquet, or use ?query=.' },
    )
  }
}

function hasSql(spec: SourceSpec): boolean {
  if (spec.kind === 'postgres') return spec.reading.kind === 'query'
  return spec.kind !== 'kafka' && spec.format === 'parquet'
}

function whatItIs(spec: SourceSpec): string {
  if (spec.kind === 'postgres') return 'a long table'
  return spec.kind === 'kafka' ? 'a topic' : spec.format
}

function refuseExisting(plan: ClassifyPlan, inputs: readonly Input[]): void {
  if (plan.overwrite) return
  for (const folder of plan.folders) {
    for (const input of inputs) {
      const { path } = fileInFolder(folder, input.relativeName, false)
      if (!existsSync(path)) continue
      throw new UsageError(`${path} exists already`, {
        hint: 'Use --resume to do only what is not done, --overwrite to do everything again, or another folder.',
      })
    }
  }
}
