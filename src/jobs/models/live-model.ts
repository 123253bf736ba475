// The model for results that others rely on: never the sample.
import { LcclfError, ModelError } from '../../errors.ts'
import { InterruptedError, type InterruptWatch } from '../../terminal/interrupt.ts'
import { findModel, modelStore, newestStored, pinnedReference } from '../../model/store/model-reference.ts'
import { pullDefault } from './pull.ts'
import type { TransferProgress } from '../../terminal/progress.ts'

/** What finding a model may do. */
interface LiveModelOptions {
  readonly interrupts: InterruptWatch
  /** told how a download goes */
  readonly progress: TransferProgress
  /** false: an empty store is not filled (`LCCLF_PULL=never`, a dry run) */
  readonly mayPull: boolean
}

/**
 * The bundle's folder of a reference; without one that of the pin, or the model that was put into the store last, or the
 * known default, downloaded.
 *
 * @throws ModelError if there is none
 */
export async function liveModel(reference: string | undefined, options: LiveModelOptions): Promise<string> {
  const named = reference ?? pinnedReference()
  if (named !== undefined && named !== '') return findModel(named)
  const newest = newestStored()
  if (newest) return newest.folder
  if (!options.mayPull) throw noModel('')
  return pulled(options)
}

async function pulled({ interrupts, progress }: LiveModelOptions): Promise<string> {
  progress.say(
    `the model store ${modelStore().root} is empty: the known default is pulled (LCCLF_PULL=never forbids it)`,
  )
  try {
    return await pullDefault(interrupts, progress)
  } catch (error) {
    if (!(error instanceof LcclfError) || error instanceof InterruptedError) throw error
    throw noModel(`, and ${error.message}`, error)
  }
}

function noModel(why: string, cause?: unknown): ModelError {
  return new ModelError(`no --model, no LCCLF_MODEL, and the model store ${modelStore().root} is empty${why}`, {
    cause,
    hint: 'The sample model is for demonstrations only and never writes to Kafka or Postgres. lcclf model import makes a model from pickles, lcclf model pull ADDRESS downloads one.',
  })
}
