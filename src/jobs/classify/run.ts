// A classify run: its inputs one after the other, into outputs of the whole run and into folders.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Classifier } from '../../pipeline/classifier.ts'
import { DataError, systemCode, UsageError } from '../../errors.ts'
import { createLedger, type InputCounts, type Ledger } from '../../pipeline/ledger.ts'
import type { ClassifyWatch, InputWatch } from './report-facts.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { Source } from '../../pipeline/source.ts'
import { createInputMeter, type InputMeter } from './summary.ts'
import type { Input } from '../../connectors/input-names.ts'
import type { InterruptWatch } from '../../terminal/interrupt.ts'
import { closeAll, createInputOpener, type InputOpener, openSinkFor } from './open-inputs.ts'
import { type ClassifyPlan, fileInFolder } from './plan.ts'
import type { Progress } from '../../terminal/progress.ts'
import { exitCodeOf, type Receipt, type ReceiptContext, receiptOf, writeReceipt } from './receipt.ts'
import { openRejectsLog, type RejectsLog } from './rejects-log.ts'
import { type BatchReport, classifyInput } from '../../pipeline/classify-input.ts'
import { resultPlace } from './result-place.ts'

/** Everything a run needs, opened by the command. */
interface ClassifyRun {
  readonly plan: ClassifyPlan
  readonly inputs: readonly Input[]
  readonly classifier: Classifier
  /** what is to be said of all inputs at the end */
  readonly inputNotes?: () => readonly string[]
  readonly interrupts: InterruptWatch
  readonly progress: Progress
  /** gathers what the report shows */
  readonly watch?: ClassifyWatch | undefined
}

/** What is kept while a run goes from input to input. */
interface RunState extends ClassifyRun {
  readonly context: ReceiptContext
  readonly opener: InputOpener
  readonly meter: InputMeter
  /** counts of the whole run: its outputs are the shared ones, then the folders */
  readonly ledger: Ledger
  readonly shared: readonly Sink[]
  readonly rejects: RejectsLog | undefined
  /** inputs that are told at the end of the run what is safe, and are needed until then */
  readonly listening: Source[]
  /** acknowledgements to give when the outputs of the whole run are published */
  readonly held: (() => Promise<void>)[]
}

/**
 * Runs a plan to its end and answers the receipt. With an output of the whole run, every input is opened before the first
 * row, and one that cannot be read ends the run with nothing published; with folders only, it is passed over, the others
 * are done, and the receipt says so.
 */
export async function runClassify(run: ClassifyRun): Promise<Receipt> {
  const { plan, classifier } = run
  const context: ReceiptContext = {
    command: 'classify',
    startedAt: new Date(),
    model: classifier.identity,
    options: plan.options,
    notes: new Set(),
  }
  const opener = createInputOpener(plan, classifier, { signal: run.interrupts.signal, inTurn: run.inputs })
  const shared: Sink[] = []
  const listening: Source[] = []
  const ledger = createLedger()
  let rejects: RejectsLog | undefined
  try {
    if (plan.shared.length > 0) {
      const schema = await opener.commonSchema(run.inputs)
      for (const spec of plan.shared) {
        const sink = await openSinkFor(spec, schema, classifier)
        shared.push(sink)
        for (const note of sink.notes ?? []) context.notes.add(note)
      }
    }
    if (plan.rejects !== undefined) rejects = openRejectsLog(plan.rejects, rejectsMode(plan))
    for (const { address } of [...plan.shared, ...plan.folders]) ledger.openOutput(address)
    const meter = createInputMeter(run.inputs)
    const state: RunState = { ...run, context, opener, meter, ledger, shared, rejects, listening, held: [] }
    await classifyInputs(state)
    // results may go to the terminal that shows the progress
    run.progress.stop()
    await publish(state)
    for (const note of shared.flatMap((sink) => sink.notes ?? [])) context.notes.add(note)
    for (const note of run.inputNotes?.() ?? []) context.notes.add(note)
    const receipt = receiptOf(context, ledger, exitCodeOf(ledger, plan.maxRejected))
    if (plan.receipt !== undefined) writeReceipt(plan.receipt, receipt)
    return receipt
  } catch (error) {
    // a transfer was broken off by the signal, not by a failure
    if (error instanceof Error && error.name === 'AbortError') run.interrupts.check(leftBehind(run, shared, ledger))
    throw error
  } finally {
    rejects?.close()
    await closeAll([...shared, ...listening, opener])
  }
}

function rejectsMode(plan: ClassifyPlan): 'whole' | 'growing' | 'resumed' {
  if (plan.folders.length === 0) return 'whole'
  return plan.resume ? 'resumed' : 'growing'
}

async function classifyInputs(state: RunState): Promise<void> {
  const { inputs, interrupts, shared, plan, ledger, progress } = state
  for (const input of inputs) {
    interrupts.check(consequence(state))
    if (shared.length > 0 && shared.every((sink) => sink.isGone === true)) return
    if (plan.limit !== undefined && ledger.totals.read >= plan.limit) return
    try {
      await classifyOneInput(input, state)
    } catch (error) {
      if (!(error instanceof DataError) || shared.length > 0) throw error
      progress.say(`lcclf: ${error.message}`)
      ledger.openInput({ address: input.spec.address }).error = error.message
    }
    interrupts.check(consequence(state))
  }
}

/** What an interruption leaves behind, for the person who caused it. */
function consequence(state: RunState): string {
  return leftBehind(state, state.shared, state.ledger)
}

function leftBehind({ plan, inputs }: ClassifyRun, shared: readonly Sink[], ledger: Ledger): string {
  const parts: string[] = []
  if (shared.some((sink) => sink.durable === 'on-finish')) parts.push('nothing was published')
  if (shared.some((sink) => sink.durable === 'on-write')) parts.push('whole batches were written')
  if (plan.folders.length > 0) {
    parts.push(`${ledger.inputs.length} of ${inputs.length} inputs are finished (--resume goes on from there)`)
  }
  return parts.join('; ')
}

/** First everything is complete beside its place, then everything appears. */
async function publish({ plan, shared, rejects, held }: RunState): Promise<void> {
  for (const sink of shared) await sink.finish()
  rejects?.publish()
  // what is most likely to fail comes first: nothing else is seen if it does
  const isRemote = (_: Sink, i: number): boolean => plan.shared[i]?.kind === 's3'
  const isLocal = (_: Sink, i: number): boolean => plan.shared[i]?.kind !== 's3'
  for (const sink of [...shared.filter(isRemote), ...shared.filter(isLocal)]) await sink.publish()
  for (const ack of held) await ack()
}

// One input of a run, through the loop and into its own files where the output is a folder.

/**
 * Classifies one input into the run's outputs and into its own file in each folder, which is published, with its receipt,
 * before the next input begins. Its counts join the run's only then.
 */
async function classifyOneInput(input: Input, state: RunState): Promise<void> {
  const { opener, shared, ledger, meter } = state
  meter.begin(input)
  const source = await opener.open(input)
  const own: Sink[] = []
  try {
    const counts = createLedger()
    for (const { address } of shared) counts.openOutput(address)
    for (const sink of await openOwnSinks(input, source, state)) {
      own.push(sink)
      counts.openOutput(sink.address)
    }
    const rows = counts.openInput(source.identity)
    const watch = state.watch?.openInput()
    await moveRows({ source, own, counts, rows, watch }, state)
    for (const note of source.notes?.() ?? []) state.context.notes.add(note)
    if (state.interrupts.signal.aborted) return
    await publishOwn(input, { own, counts }, state)
    ledger.absorb(counts)
    watch?.keep()
  } finally {
    // a topic's offsets are committed when the results are published; a file must not stay open until then
    if (input.spec.kind === 'kafka') state.listening.push(source)
    await closeAll(input.spec.kind === 'kafka' ? own : [...own, source])
  }
}

interface InputRun {
  readonly source: Source
  readonly own: readonly Sink[]
  readonly counts: Ledger
  readonly rows: InputCounts
  readonly watch: InputWatch | undefined
}

async function moveRows({ source, own, counts, rows, watch }: InputRun, state: RunState): Promise<void> {
  const { classifier, shared, interrupts, rejects, progress, ledger, meter } = state
  const before = ledger.totals.read
  async function onBatch({ delivery, classified, outcomes }: BatchReport): Promise<void> {
    counts.count(rows, counts.outputs, { delivery, classified: classified.rowCount, outcomes })
    watch?.see(classified)
    rejects?.write(delivery.rejected)
    for (const { refused } of outcomes) rejects?.write(refused)
    progress.update({ objects: before + rows.read, fraction: meter.fraction(source) })
    return Promise.resolve()
  }
  const sinks = [...shared, ...own]
  state.held.push(...(await classifyInput({ source, classifier, sinks, signal: interrupts.signal, onBatch })))
}

async function openOwnSinks(input: Input, source: Source, { plan, classifier }: RunState): Promise<Sink[]> {
  const own: Sink[] = []
  for (const folder of plan.folders) {
    const spec = fileInFolder(folder, input.relativeName, plan.overwrite || plan.resume)
    if (spec.kind === 'file') makeFolder(dirname(spec.path))
    own.push(await openSinkFor(spec, source.schema, classifier))
  }
  return own
}

async function publishOwn(
  input: Input,
  { own, counts }: Pick<InputRun, 'own' | 'counts'>,
  { rejects, context, plan }: RunState,
): Promise<void> {
  if (own.length === 0) return
  const places = plan.folders.map((folder) => resultPlace(fileInFolder(folder, input.relativeName, true)))
  for (const sink of own) await sink.finish()
  rejects?.sync()
  // an older receipt must not vouch for a newer result, should we be killed in between
  for (const place of places) await place.removeReceipt()
  for (const sink of own) await sink.publish()
  const receipt = receiptOf(context, counts, exitCodeOf(counts, plan.maxRejected))
  for (const place of places) await place.writeReceipt(receipt)
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new UsageError(
      `${folder}: the folder for the results cannot be made (${systemCode(cause) ?? 'unknown reason'})`,
      {
        cause,
      },
    )
  }
}
