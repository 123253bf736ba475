// One input of a run, through the loop and into its own files where the output is a folder.
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemCode, UsageError } from '../../errors.ts'
import { classifyInput, type BatchReport } from '../../pipeline/classify-input.ts'
import { createLedger, type InputCounts, type Ledger } from '../../pipeline/ledger.ts'
import type { InputWatch } from './report-facts.ts'
import type { Sink } from '../../pipeline/sink.ts'
import type { Source } from '../../pipeline/source.ts'
import type { Input } from '../../connectors/inputs.ts'
import { closeAll, openSinkFor } from './open-inputs.ts'
import { fileInFolder } from './plan.ts'
import { exitCodeOf, receiptOf } from './receipt.ts'
import { resultPlace } from './result-place.ts'
import type { RunState } from './run.ts'

/**
 * Classifies one input into the run's outputs and into its own file in each folder, which is published, with its receipt,
 * before the next input begins. Its counts join the run's only then.
 */
export async function classifyOneInput(input: Input, state: RunState): Promise<void> {
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
