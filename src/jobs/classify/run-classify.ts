// A classify run: its inputs one after the other, into outputs of the whole run and into folders.
import { expandInputs, type Input } from '../../connectors/inputs.ts'
import { checkForm } from '../../connectors/result-form.ts'
import { DataError, UsageError } from '../../errors.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { type BatchReport, classifyInput } from '../../pipeline/classify-input.ts'
import { createLedger, type Ledger } from '../../pipeline/ledger.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { Source } from '../../pipeline/source.ts'
import { interruptsOf } from '../../terminal/interrupt.ts'
import { logTransfer } from '../../terminal/progress.ts'
import { writeWholeFile } from '../../whole-file.ts'
import { closeAll, createInputMeter, createInputOpener, openSinkFor } from './open-inputs.ts'
import { openRunModel, type RunEffects } from './open-model.ts'
import { type ClassifyOptions, type ClassifyPlan, planClassify, resultOptions } from './plan.ts'
import { type Receipt, receiptOf, receiptText } from './receipt.ts'
import { openRejectsLog, type RejectsLog, rejectsTo } from './rejects-log.ts'
import type { ClassifyWatch } from './report-facts.ts'
import { selectTasks, type Task } from './tasks.ts'

/**
 * Classifies inputs to their end, as `lcclf classify` does, and answers the receipt. Nothing is written to stdout or
 * stderr but the rows of an output `-`. Shared outputs appear together at the end; a folder's files appear one by one.
 *
 * @example
 * const receipt = await runClassify({ inputs: ['nights/'], to: ['classified.parquet'], model: 'hierarchical_random_forest' })
 * if (receipt.exitCode !== 0) console.error(receipt.inputs)
 *
 * @throws UsageError for options that exclude each other or name places that cannot be used, DataError for an input that
 *   cannot be read, ModelError, ServiceError, InterruptedError once `signal` is aborted. Too many rejects and counts that
 *   do not add up throw nothing: they are the receipt's `exitCode` (3 and 6)
 */
export async function runClassify(options: ClassifyOptions): Promise<Receipt> {
  const to = options.to ?? []
  if (to.length === 0 && !options.onBatch) {
    throw new UsageError('no output', { hint: 'Name addresses or sinks in `to`, or give `onBatch`.' })
  }
  const plan = planClassify({ ...options, to }, false, process.env)
  const say = options.onMessage ?? (() => undefined)
  const effects = { interrupts: interruptsOf(options.signal), warn: say, say, transfer: logTransfer(say) }
  const { selection, classifier, notes } = await openRun(plan, effects)
  try {
    const { onBatch, onProgress = () => undefined } = options
    return await runTasks({ plan, ...selection, classifier, inputNotes: notes, effects, onBatch, onProgress })
  } finally {
    await classifier.close()
  }
}

/**
 * Finds the inputs, opens the model and decides what has to be done. The classifier must be closed; `notes` says at the end
 * what the inputs looked like.
 */
export async function openRun(plan: ClassifyPlan, effects: RunEffects) {
  const found: string[] = []
  const onNote = (line: string): number => found.push(line)
  const inputs = await expandInputs(plan.inputs, { ...plan.search, environment: process.env, onNote })
  const { classifier, notes, alarms, isDemonstration } = await openRunModel(plan, effects)
  try {
    const { identity, taxonomy } = classifier
    for (const form of [...plan.shared, ...plan.folders]) await checkForm(form, { taxonomy, ...identity })
    const selection = await selectTasks(plan, inputs, { identity, isDemonstration })
    return { selection, classifier, alarms, notes: () => [...found, ...notes()] }
  } catch (error) {
    await classifier.close()
    throw error
  }
}

interface ClassifyRun {
  readonly plan: ClassifyPlan
  readonly tasks: readonly Task[]
  /** with --resume: what an earlier run did */
  readonly finished: readonly Task[]
  readonly classifier: Classifier
  readonly inputNotes: () => readonly string[]
  readonly effects: RunEffects
  readonly onProgress: NonNullable<ClassifyOptions['onProgress']>
  readonly onBatch?: ClassifyOptions['onBatch']
  /** all rows are in the outputs, which appear now */
  readonly onRowsDone?: () => void
  /** gathers what the report shows */
  readonly watch?: ClassifyWatch | undefined
}

type RunState = ReturnType<typeof stateOf>

/** What it keeps while it goes from input to input. */
function stateOf(run: ClassifyRun, inputs: readonly Input[]) {
  const { signal } = run.effects.interrupts
  return {
    ...run,
    startedAt: new Date(),
    opener: createInputOpener(run.plan, run.classifier, { signal, inTurn: inputs }),
    meter: createInputMeter(inputs),
    /** counts of the whole run: its outputs are the shared ones, then the folders */
    ledger: createLedger(),
    shared: [] as Sink[],
    rejects: undefined as RejectsLog | undefined,
    /** what the receipt says that is not a count */
    notes: new Set<string>(),
    /** inputs that are told at the end of the run what is safe, and are needed until then */
    listening: [] as Source[],
    /** acknowledgements to give when the outputs of the whole run are published */
    held: [] as (() => Promise<void>)[],
  }
}

/**
 * Runs a plan to its end and answers the receipt. With an output of the whole run, every input is opened before the first
 * row, and one that cannot be read ends the run with nothing published; with folders only, it is passed over, the others
 * are done, and the receipt says so.
 */
export async function runTasks(run: ClassifyRun): Promise<Receipt> {
  const { plan, classifier } = run
  const inputs = run.tasks.map(({ input }) => input)
  const state = stateOf(run, inputs)
  const { shared, opener } = state
  try {
    // of the others, whoever writes them removes what is left
    for (const result of run.finished.flatMap(({ results }) => results)) await result.removeLeftovers()
    const schema = plan.shared.length > 0 ? await opener.commonSchema(inputs) : undefined
    for (const spec of plan.shared) {
      const sink = await openSinkFor(spec, schema!, classifier)
      shared.push(sink)
      note(state, sink.notes)
    }
    state.rejects = await openRejects(plan)
    for (const { address } of [...shared, ...plan.folders]) state.ledger.openOutput(address)
    await classifyTasks(state)
    run.onRowsDone?.()
    await publish(state)
    for (const sink of shared) note(state, sink.notes)
    note(state, run.inputNotes())
    const receipt = receiptFor(state, state.ledger)
    if (plan.receipt !== undefined) await writeWholeFile(plan.receipt, receiptText(receipt))
    return receipt
  } catch (error) {
    // a transfer was broken off by the signal, not by a failure
    if (error instanceof Error && error.name === 'AbortError') checkInterrupts(state)
    throw error
  } finally {
    await state.rejects?.close()
    await closeAll([...shared, ...state.listening, opener])
  }
}

function note({ notes }: RunState, more: readonly string[] = []): void {
  for (const line of more) notes.add(line)
}

function receiptFor({ plan, classifier, startedAt, notes }: RunState, counts: Ledger): Receipt {
  const facts = { command: 'classify', startedAt, model: classifier.identity, options: plan.options, notes }
  return receiptOf(facts, counts, plan.maxRejected)
}

async function openRejects({ rejects, folders, resume }: ClassifyPlan): Promise<RejectsLog | undefined> {
  if (typeof rejects === 'function') return rejectsTo(rejects)
  if (rejects === undefined) return undefined
  return openRejectsLog(rejects, folders.length === 0 ? 'whole' : resume ? 'resumed' : 'growing')
}

async function classifyTasks(state: RunState): Promise<void> {
  const { tasks, shared, plan, ledger, effects } = state
  for (const task of tasks) {
    checkInterrupts(state)
    if (shared.length > 0 && shared.every((sink) => sink.isGone === true)) return
    if (plan.limit !== undefined && ledger.totals.read >= plan.limit) return
    try {
      await classifyTask(task, state)
    } catch (error) {
      if (!(error instanceof DataError) || plan.folders.length === 0 || shared.length > 0) throw error
      effects.warn(error.message)
      ledger.openInput({ address: task.input.spec.address }).error = error.message
    }
    checkInterrupts(state)
  }
}

/** Ends the run if it was interrupted, and says what it leaves behind. */
function checkInterrupts({ plan, tasks, shared, ledger, effects }: RunState): void {
  const parts: string[] = []
  if (shared.some((sink) => sink.durable === 'on-finish')) parts.push('nothing was published')
  if (shared.some((sink) => sink.durable === 'on-write')) parts.push('whole batches were written')
  if (plan.folders.length > 0) {
    parts.push(`${ledger.inputs.length} of ${tasks.length} inputs are finished (--resume continues from there)`)
  }
  effects.interrupts.check(parts.join('; '))
}

/** First everything is complete beside its place, then everything appears. */
async function publish({ plan, shared, rejects, held }: RunState): Promise<void> {
  for (const sink of shared) await sink.finish()
  await rejects?.publish()
  // what is most likely to fail comes first: nothing else is seen if it does
  const isRemote = (_: Sink, i: number): boolean => plan.shared[i]?.kind === 's3'
  const isLocal = (_: Sink, i: number): boolean => plan.shared[i]?.kind !== 's3'
  for (const sink of [...shared.filter(isRemote), ...shared.filter(isLocal)]) await sink.publish()
  for (const ack of held) await ack()
}

/**
 * Classifies one input into the run's outputs and into its own file in each folder, which is published, with its receipt,
 * before the next input begins. Its counts join the run's only then.
 */
async function classifyTask(task: Task, state: RunState): Promise<void> {
  const { plan, classifier, shared, ledger, effects } = state
  const { input } = task
  state.meter.begin(input)
  const source = await state.opener.open(input)
  // a topic's offsets are committed when the results are published; a file must not stay open until then
  const isNeededLater = input.spec.kind === 'kafka' || input.spec.kind === 'custom'
  if (isNeededLater) state.listening.push(source)
  const own: Sink[] = []
  try {
    for (const { spec } of task.results) {
      own.push(await openSinkFor(spec, source.schema, classifier))
    }
    const counts = createLedger()
    for (const { address } of [...shared, ...own]) counts.openOutput(address)
    const watch = await moveRows(source, [...shared, ...own], counts, state)
    note(state, source.notes?.())
    if (effects.interrupts.signal.aborted) return
    if (plan.folders.length > 0) await publishOwn(task, own, counts, state)
    ledger.absorb(counts)
    watch?.keep()
  } finally {
    await closeAll(isNeededLater ? own : [...own, source])
  }
}

/** Through the loop and into all outputs; answers what was seen, for the report. */
async function moveRows(source: Source, sinks: readonly Sink[], counts: Ledger, state: RunState) {
  const { classifier, effects, rejects, ledger, meter } = state
  const watch = state.watch?.openInput()
  const rows = counts.openInput(source.identity)
  const before = ledger.totals.read
  async function onBatch(report: BatchReport): Promise<void> {
    const { delivery, classified, outcomes } = report
    counts.count(rows, counts.outputs, { delivery, classified: classified.rowCount, outcomes })
    watch?.see(classified)
    await rejects?.write(delivery.rejected)
    for (const { refused, advice } of outcomes) {
      await rejects?.write(refused)
      if (advice !== undefined) note(state, [advice])
    }
    await state.onBatch?.(report)
    state.onProgress({ objects: before + rows.read, fraction: meter.fraction(source) })
  }
  const { signal } = effects.interrupts
  state.held.push(...(await classifyInput({ source, classifier, sinks, signal, onBatch })))
  return watch
}

async function publishOwn({ results }: Task, own: readonly Sink[], counts: Ledger, state: RunState): Promise<void> {
  for (const sink of own) await sink.finish()
  await state.rejects?.sync()
  // an older receipt must not vouch for a newer result, should we be killed in between
  for (const result of results) await result.removeReceipt()
  for (const sink of own) await sink.publish()
  const receipt = { ...receiptFor(state, counts), options: resultOptions(state.plan) }
  for (const [i, result] of results.entries()) await result.writeReceipt(receipt, own[i]?.written)
}
