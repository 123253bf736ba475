// The story of `lcclf classify`: plan, model, inputs, run, and what is said about it.
import type { Classifier } from '../../pipeline/classifier.ts'
import type { InputProfile } from '../../model/bundle/input-profile.ts'
import { readProfile } from '../../model/bundle/read-bundle.ts'
import { openClassifier } from '../../model/open.ts'
import { type ClassifyWatch, createClassifyWatch } from './report-facts.ts'
import { loadLibrariesFor } from '../../connectors/open-source.ts'
import { describeRun } from './dry-run.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { type InterruptWatch, watchInterrupts } from '../../terminal/interrupt.ts'
import { liveModel } from '../models/pull.ts'
import { cacheFolder, chooseModel, theSample } from '../../model/store/model-reference.ts'
import { type ClassifyFlags, type ClassifyPlan, planClassify } from './plan.ts'
import { openProgress, openTransferProgress, silentTransfer } from '../../terminal/progress.ts'
import type { Receipt } from './receipt.ts'
import { checkReport, openReport, type ReportFile } from '../../report/report-file.ts'
import { runClassify } from './run.ts'
import { selectInputs, type Selection } from './select-inputs.ts'
import { summaryOf } from './summary.ts'
import {
  noProfile,
  tallyInputs,
  tooFewNote,
  type WatchedClassifier,
  watchQuality,
} from '../../model/profile/watch-inputs.ts'

/**
 * Does what was typed and answers the exit code. Prints people's lines on stderr, and on stdout nothing but results or,
 * with --json, one object.
 */
export async function classify(flags: ClassifyFlags): Promise<number> {
  const plan = planClassify(flags, process.stdout.isTTY, process.env)
  const interrupts = watchInterrupts()
  try {
    return await withReport(plan, (report) => classifyPlan(plan, interrupts, report))
  } finally {
    interrupts.stop()
  }
}

/** Its place is taken before the model is opened. With --resume the same command is typed again, so an older report may go. */
async function withReport(
  plan: ClassifyPlan,
  work: (report: ReportFile | undefined) => Promise<number>,
): Promise<number> {
  const overwrite = plan.overwrite || plan.resume
  if (plan.isDryRun) {
    checkReport(plan.report, overwrite)
    return work(undefined)
  }
  const report = await openReport(plan.report, overwrite)
  try {
    return await work(report)
  } finally {
    await report?.close()
  }
}

async function classifyPlan(
  plan: ClassifyPlan,
  interrupts: InterruptWatch,
  report: ReportFile | undefined,
): Promise<number> {
  const folders = plan.folders.map((output) => output.folder)
  const all = await expandInputs(plan.inputs, {
    fromFormat: plan.fromFormat,
    outputFolders: folders,
    environment: process.env,
    window: plan.window,
    commits: plan.commits,
  })
  const { classifier, notes } = await openModel(plan, interrupts, () => loadLibrariesFor(all.map(({ spec }) => spec)))
  try {
    const selection = await selectInputs(plan, all, classifier.identity.sha256)
    if (plan.isDryRun) return await describeRun(plan, selection, classifier)
    return await runSelection({ plan, selection, classifier, inputNotes: notes, interrupts, report })
  } finally {
    await classifier.close()
  }
}

async function openModel(
  plan: ClassifyPlan,
  interrupts: InterruptWatch,
  meanwhile: () => Promise<void>,
): Promise<WatchedClassifier> {
  const folder = await modelFolder(plan, interrupts)
  const profile = await readProfile(folder)
  const classifier = await openClassifier(folder, {
    engine: plan.engine,
    threads: plan.threads,
    cacheFolder: cacheFolder(),
    meanwhile,
  })
  const tallied = tallyInputs(classifier, profile)
  return plan.watchesQuality === true ? withQualityWatch(tallied, profile) : tallied
}

/** Warnings come on stderr as soon as they are due, and stand in the receipt. */
function withQualityWatch(tallied: WatchedClassifier, profile: InputProfile | undefined): WatchedClassifier {
  const said = new Set<string>()
  if (!profile) say(`lcclf: warning: ${noProfile}`)
  const { classifier, watch } = watchQuality(tallied.classifier, profile, ({ begun, ended }) => {
    for (const { message } of begun) {
      say(`lcclf: warning: ${message}`)
      said.add(`--watch-quality: ${message}`)
    }
    for (const { about } of ended) say(`lcclf: ${about} is as usual again`)
  })
  return { classifier, notes: () => [...said, ...[tooFewNote(watch) ?? []].flat(), ...tallied.notes()] }
}

/** Tables and topics that others read never get the sample model's answers. */
async function modelFolder(plan: ClassifyPlan, interrupts: InterruptWatch): Promise<string> {
  if (plan.shared.some(({ kind }) => kind === 'postgres' || kind === 'kafka')) {
    const mayPull = !plan.isDryRun && process.env['LCCLF_PULL'] !== 'never'
    const progress = plan.isQuiet ? silentTransfer : openTransferProgress({ isSilent: !plan.showsProgress })
    return liveModel(plan.model, { interrupts, progress, mayPull })
  }
  const { directory, chosenBy } = chooseModel(plan.model, theSample)
  if (chosenBy === 'the sample model' && !plan.isQuiet) {
    say(
      'No --model and no LCCLF_MODEL: the sample model of this package answers. This is a demonstration, not a classification.',
    )
  }
  return directory
}

interface PreparedRun {
  readonly plan: ClassifyPlan
  readonly selection: Selection
  readonly classifier: Classifier
  /** what the inputs looked like, at the end */
  readonly inputNotes: () => readonly string[]
  readonly interrupts: InterruptWatch
  readonly report: ReportFile | undefined
}

async function runSelection(run: PreparedRun): Promise<number> {
  const { plan, selection, classifier, inputNotes, interrupts, report } = run
  if (!plan.isQuiet) sayReasons(plan, selection)
  const started = performance.now()
  const progress = await openProgress({ isSilent: plan.isQuiet || !plan.showsProgress })
  try {
    const watch = report && createClassifyWatch(classifier.taxonomy)
    const { inputs } = selection
    const receipt = await runClassify({ plan, inputs, classifier, inputNotes, interrupts, progress, watch })
    if (report && watch) await publishReport(report, receipt, watch, selection)
    const seconds = (performance.now() - started) / 1000
    for (const line of summaryOf(receipt, seconds, plan)) {
      if (!plan.isQuiet || receipt.exitCode !== 0) say(line)
    }
    if (plan.json) process.stdout.write(`${JSON.stringify(receipt)}\n`)
    return receipt.exitCode
  } finally {
    progress.stop()
  }
}

/** A run that found everything done keeps the report of the run that did it. */
async function publishReport(
  report: ReportFile,
  receipt: Receipt,
  { facts }: ClassifyWatch,
  { inputs, done }: Selection,
): Promise<void> {
  if (inputs.length === 0 && done > 0) return
  const { classifyPage } = await import('./report-page.ts')
  await report.publish(await classifyPage(receipt, facts, { done }))
}

function sayReasons(plan: ClassifyPlan, { inputs, reasons, done }: Selection): void {
  if (!plan.resume) return
  say(`${done} of ${done + inputs.length} inputs are done already`)
  for (const input of inputs) {
    const reason = reasons.get(input)
    if (reason !== 'not done yet') say(`${input.spec.address} again: ${reason}`)
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
