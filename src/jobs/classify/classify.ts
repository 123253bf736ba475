// The story of `lcclf classify`: plan, model, inputs, run, and what is said about it.
import { existsSync } from 'node:fs'
import type { Classifier } from '../../pipeline/classifier.ts'
import { createClassifyWatch } from './report-facts.ts'
import { type InterruptWatch, watchInterrupts } from '../../terminal/interrupt.ts'
import type { ClassifyFlags } from '../../terminal/flags.ts'
import { type ClassifyPlan, planClassify } from './plan.ts'
import { openProgress, openTransferProgress, silentTransfer } from '../../terminal/progress.ts'
import { UsageError } from '../../errors.ts'
import { checkReport, openReport, type ReportFile } from '../../report/report-file.ts'
import type { RunEffects } from './open-model.ts'
import { summaryOf } from './receipt.ts'
import { openRun, runTasks } from './run-classify.ts'
import { resultPlace } from './result-place.ts'
import type { Selection } from './tasks.ts'
import { redacted } from '../../formats/shown-text.ts'
import { harmless } from '../../terminal/text-table.ts'
import { alreadyThere } from '../../whole-file.ts'
import { createInputOpener } from './open-inputs.ts'
import { print } from '../../terminal/standard-streams.ts'

/**
 * Does what was typed and answers the exit code. Prints people's lines on stderr, and on stdout nothing but results or,
 * with --json, one object.
 */
export async function classify(inputs: readonly string[], flags: ClassifyFlags): Promise<number> {
  // what is done again and again is watched, unless somebody does not want it
  const watch = flags.watch ?? (flags.resume ? true : undefined)
  const plan = planClassify({ ...flags, watch, inputs }, process.stdout.isTTY, process.env)
  refuseSharedStdout(plan, flags)
  // its place is taken before the model is opened
  if (flags.dryRun) checkReport(flags.report, plan.overwrite)
  const report = flags.dryRun ? undefined : await openReport(flags.report, plan.overwrite)
  const interrupts = watchInterrupts()
  try {
    const effects = effectsOf(plan, flags, interrupts)
    sayShard(flags, effects)
    const run = await openRun(plan, effects)
    try {
      if (!flags.dryRun) return await runAndReport({ plan, flags, effects }, run, report)
      await print(await describeRun(plan, run.selection, run.classifier, flags.json))
      return 0
    } finally {
      await run.classifier.close()
    }
  } finally {
    await report?.close()
    interrupts.stop()
  }
}

/** @throws UsageError where two kinds of data would meet on stdout */
export function refuseSharedStdout(
  { shared }: ClassifyPlan,
  { json, dryRun }: Pick<ClassifyFlags, 'json' | 'dryRun'>,
): void {
  if (!json || dryRun || !shared.some(({ kind }) => kind === 'stdout' || kind === 'terminal')) return
  throw new UsageError('--json and results cannot both go to stdout', { hint: 'Name a file with --to.' })
}

function effectsOf({ shared }: ClassifyPlan, { quiet, noProgress, dryRun }: ClassifyFlags, interrupts: InterruptWatch) {
  // the bar is drawn where rows appear: it would be among them
  const isAmongRows = process.stdout.isTTY && process.stderr.isTTY && shared.some(({ kind }) => kind === 'stdout')
  const progress = openProgress({ isSilent: quiet || noProgress || isAmongRows })
  const transfer = quiet ? silentTransfer : openTransferProgress({ isSilent: noProgress })
  const effects: RunEffects = {
    interrupts,
    warn: (line) => progress.say(`lcclf: ${line}`),
    say: (line) => (quiet ? undefined : progress.say(line)),
    transfer: dryRun ? undefined : transfer,
  }
  return { ...effects, progress }
}

/** Of a part that was not typed. */
function sayShard({ shard }: ClassifyFlags, { say }: RunEffects): void {
  if (shard?.from !== undefined) say(`shard ${shard.index + 1}/${shard.count}, from ${shard.from}`)
}

async function runAndReport(
  { plan, flags, effects }: { plan: ClassifyPlan; flags: ClassifyFlags; effects: ReturnType<typeof effectsOf> },
  run: Awaited<ReturnType<typeof openRun>>,
  report: ReportFile | undefined,
): Promise<number> {
  const { selection, classifier, notes } = run
  const { progress, say } = effects
  sayReasons(plan, selection, say)
  const started = performance.now()
  progress.begin()
  const watch = report && createClassifyWatch(classifier.taxonomy)
  try {
    const receipt = await runTasks({
      ...{ plan, ...selection, classifier, inputNotes: notes, effects, watch },
      onProgress: progress.update,
      // results may go to the terminal that shows the progress
      onRowsDone: progress.stop,
    })
    // a run that found everything done keeps the report of the run that did it
    if (report && watch && (selection.tasks.length > 0 || selection.done === 0)) {
      const { classifyPage } = await import('./report-page.ts')
      await report.publish(await classifyPage(receipt, watch.facts, { done: selection.done, alarms: run.alarms() }))
    }
    const seconds = (performance.now() - started) / 1000
    for (const line of summaryOf(receipt, seconds, { rejects: flags.rejects, maxRejected: plan.maxRejected })) {
      if (receipt.exitCode === 0) say(line)
      else progress.say(line)
    }
    if (flags.json) await print(`${JSON.stringify(receipt)}\n`)
    return receipt.exitCode
  } finally {
    progress.stop()
  }
}

function sayReasons({ resume, shard }: ClassifyPlan, { tasks, done }: Selection, say: (line: string) => void): void {
  if (shard && done + tasks.length === 0) {
    say(`none of the inputs is in part ${shard.index + 1} of ${shard.count}`)
    return
  }
  if (!resume) return
  say(`${done} of ${done + tasks.length} inputs are done already`)
  for (const { input, reason } of tasks) {
    if (reason !== 'not done yet') say(harmless(`${input.spec.address} again: ${reason}`))
  }
}

// --dry-run: what would be done, with model and inputs really opened and nothing written.

/** The plan as text, or with `json` as one object; ends with a line break. */
async function describeRun(
  plan: ClassifyPlan,
  { tasks, done }: Selection,
  classifier: Classifier,
  json: boolean,
): Promise<string> {
  await checkOutputs(plan)
  const opener = createInputOpener(plan, classifier, { isForSchema: true })
  const inputs: { address: string; size: number | null; candid: boolean; result: string | null }[] = []
  for (const { input, results } of tasks) {
    const source = await opener.open(input)
    await source.close()
    const { identity, schema } = source
    inputs.push({
      address: redacted(identity.address),
      size: identity.size ?? null,
      candid: schema.hasCandid,
      result: results[0]?.spec.address ?? null,
    })
  }
  const { name, version, sha256 } = classifier.identity
  const outputs = [...plan.shared, ...plan.folders].map(({ address }) => redacted(address))
  if (json) {
    const model = { name, version, sha256 }
    const { options } = plan
    const run = { schemaVersion: 1, command: 'classify', dryRun: true, model, options, inputs, done, outputs }
    return `${JSON.stringify({ ...run, exitCode: 0 })}\n`
  }
  const classes = classifier.taxonomy.levels[0]!.classes.length
  const lines = [
    `model    ${name} ${version}: ${classifier.features.length} features, ${classes} classes, golden answers reproduced`,
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
    if (spec.kind === 'postgres') {
      // can these tables be reached and written? Looks only
      const { inspectOutput } = await import('../../connectors/postgres/postgres-sink.ts')
      const { withDatabase } = await import('../../connectors/postgres/client/session.ts')
      await withDatabase(spec.connection, (database) => inspectOutput(database, spec))
    }
    if (spec.kind === 's3' && !spec.overwrite && (await resultPlace(spec).look())) throw alreadyThere(spec.address)
    if (spec.kind !== 'file') continue
    if (existsSync(spec.path) && !spec.overwrite) throw alreadyThere(spec.path)
  }
}
