// Which model answers, and opening it.
import { readBundleCalibration } from '../../model/calibration/bundle-calibration.ts'
import { withCalibration } from '../../model/calibration/calibrate-batch.ts'
import { readProfile } from '../../model/bundle/read-bundle.ts'
import { type EngineName, openClassifier } from '../../model/open.ts'
import { tallyInputs, type TalliedClassifier } from '../../model/profile/tally-inputs.ts'
import type { Alarm } from '../../model/watch/alarm.ts'
import { cacheFolder, type ChosenModel, modelLine, theSample } from '../../model/store/model-reference.ts'
import { UsageError } from '../../errors.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { interruptsOf, type InterruptWatch } from '../../terminal/interrupt.ts'
import { silentTransfer, type TransferProgress } from '../../terminal/progress.ts'
import { chooseLocalModel } from '../models/local-model.ts'
import { liveModel } from '../models/pull.ts'
import { type KnownOfModel, openWatch } from '../watch/open-watch.ts'
import type { WatchPlan } from '../watch/plan.ts'
import type { ClassifyPlan } from './plan.ts'

/** What a run says while it is under way, and what may stop it. It writes to no terminal itself. */
export interface RunEffects {
  readonly interrupts: InterruptWatch
  /** what a person should know at once */
  warn(line: string): void
  /** what helps somebody who watches */
  say(line: string): void
  /** told how the download of a model goes; undefined: nothing is downloaded */
  readonly transfer: TransferProgress | undefined
}

/**
 * Opens a model, which has then proved that it gives its golden answers.
 *
 * @example
 * const model = await openModel('hierarchical_random_forest@1.0.0')
 * console.log(model.identity.classifierVersion, model.features)
 * await model.close()
 *
 * @param reference a bundle's folder, its `.tar.gz`, an address, `name@version`, or a name in the model store. Without one: `LCCLF_MODEL`, otherwise
 *   the model that `lcclf.lock` pins, otherwise the sample model of this package, which is a demonstration
 * @param options `engine`: forest (the default for forests) or onnx; `threads`: 0 for one for each core; `novelty`: whether batches have one
 * @throws ModelError if it is not found, is damaged, or gives other answers than its golden ones
 */
export async function openModel(reference?: string, options: EngineOptions = {}): Promise<Classifier> {
  return (await openChosenModel(reference, options)).classifier
}

interface EngineOptions {
  readonly engine?: EngineName | undefined
  readonly threads?: number
  readonly novelty?: boolean | undefined
}

/** The same, and why it is this model. */
export async function openChosenModel(reference: string | undefined, { engine, threads = 0, novelty }: EngineOptions) {
  const named = reference ?? (process.env['LCCLF_MODEL'] || undefined)
  const effects = { interrupts: interruptsOf(), progress: silentTransfer, mayPull: mayDownload() }
  const chosen = await chooseLocalModel(named, theSample, effects)
  const how = { engine, threads, novelty, cacheFolder: cacheFolder() }
  const classifier = await openClassifier(chosen.directory, how)
  return { classifier, chosen }
}

/** The model of a run, and what its watch has told; undefined without one. */
type RunModel = TalliedClassifier &
  Pick<ChosenModel, 'isDemonstration'> & { readonly alarms: () => readonly Alarm[] | undefined }

/** Opens the model of a run. It proves itself while the inputs are opened; no answer is given before. */
export async function openRunModel(plan: ClassifyPlan, effects: RunEffects): Promise<RunModel> {
  const { model, engine, threads, watch, extras } = plan
  if (typeof model === 'object') {
    // it belongs to the caller
    const own = { ...model, close: () => Promise.resolve() }
    if (extras.novelty && !model.hasNovelty) throw openedWithout(model)
    const borrowed = { classifier: withCalibration(own, extras), notes: () => [] }
    return { ...(await withWatch(borrowed, watch, {}, effects)), isDemonstration: false }
  }
  const chosen = await chosenModel(model, plan, effects)
  const { directory, isDemonstration } = chosen
  const profile = await readProfile(directory)
  const { novelty } = extras
  const how = { engine, threads, novelty, cacheFolder: cacheFolder(), provesLater: true }
  const opened = await openClassifier(directory, how)
  const classifier = withCalibration(opened, extras)
  effects.say(modelLine(classifier.identity, chosen))
  const known = { profile, calibration: watch ? await readBundleCalibration(directory) : undefined }
  return { ...(await withWatch(tallyInputs(classifier, profile), watch, known, effects)), isDemonstration }
}

function openedWithout({ identity }: Classifier): UsageError {
  return new UsageError(`novelty: ${identity.classifierVersion} was opened without`, {
    hint: 'Open the model with { novelty: true }.',
  })
}

/** Tables and topics that others read never get the sample model's answers. */
async function chosenModel(
  model: string | undefined,
  { shared }: ClassifyPlan,
  { interrupts, transfer }: RunEffects,
): Promise<ChosenModel> {
  const mayPull = transfer !== undefined && mayDownload()
  const fetching = { interrupts, progress: transfer ?? silentTransfer, mayPull }
  const isForOthers = shared.some(({ kind }) => kind === 'postgres' || kind === 'kafka')
  return isForOthers ? liveModel(model, fetching) : chooseLocalModel(model, theSample, fetching)
}

function mayDownload(): boolean {
  return process.env['LCCLF_PULL'] !== 'never'
}

/** Alarms are said as soon as they are due, and stand in the receipt. A dry run is not watched. */
async function withWatch(
  tallied: TalliedClassifier,
  plan: WatchPlan | undefined,
  known: KnownOfModel,
  { warn, transfer }: RunEffects,
): Promise<Omit<RunModel, 'isDemonstration'>> {
  if (!plan || transfer === undefined) return { ...tallied, alarms: () => undefined }
  const voice = {
    begun: (message: string) => warn(`warning: ${message}`),
    told: warn,
    warn: (message: string) => warn(`warning: ${message}`),
  }
  const night = await openWatch(tallied.classifier, { plan, ...known, voice })
  const { classifier } = night
  const notes = (): string[] => {
    const alarms = night.finish()
    const { tooFew } = night
    const short =
      tooFew &&
      `night watch: too few objects so far (${tooFew.rows}) to know what is usual: ${tooFew.needed} are needed`
    const told = [...alarms.map(({ message }) => message), ...night.drifts].map((message) => `night watch: ${message}`)
    return [...told, ...(short === undefined ? [] : [short])]
  }
  return {
    classifier: {
      ...classifier,
      async close() {
        await night.close()
        await classifier.close()
      },
    },
    notes: () => [...notes(), ...tallied.notes()],
    alarms: night.finish,
  }
}
