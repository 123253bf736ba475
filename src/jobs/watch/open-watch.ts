// The night watch of a run: beside the classifier, with its memory, and a voice.
import { openAlerts } from '../../connectors/alerts/alert-outlet.ts'
import { messageOf } from '../../errors.ts'
import type { InputProfile } from '../../model/bundle/input-profile.ts'
import type { BundleCalibration } from '../../model/calibration/bundle-calibration.ts'
import { createCalibrationWatch } from '../../model/calibration/watch-calibration.ts'
import type { Alarm, AlarmChange, WatchView } from '../../model/watch/alarm.ts'
import { shapeOf } from '../../model/watch/answer-blocks.ts'
import { createNightWatch, noMemory } from '../../model/watch/night-watch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { openMemory } from './memory.ts'
import { usualStateFile, type WatchPlan } from './plan.ts'

/** How the watch speaks to whoever runs it. */
export interface WatchVoice {
  /** something is not as usual */
  begun(message: string, alarm: Alarm): void
  /** what follows from it, or its end; of what drifts there is no alarm */
  told(message: string, alarm?: Alarm): void
  /** of the watch itself */
  warn(message: string): void
}

/** What is known of a model beforehand. */
export interface KnownOfModel {
  readonly profile?: InputProfile | undefined
  /** whose calibrated answers are held against what they were where they were learnt */
  readonly calibration?: BundleCalibration | undefined
}

const flushEveryMs = 60_000
/** without news others may take a process for ended */
const signOfLifeMs = 300_000
const closeWithinMs = 3_000

/**
 * Opens the watch of a model. Answers are untouched, and whatever goes wrong with the watch never reaches them.
 */
export async function openWatch(
  classifier: Classifier,
  { plan, profile, calibration, voice }: KnownOfModel & { readonly plan: WatchPlan; readonly voice: WatchVoice },
) {
  const { features, preprocessing, taxonomy, identity } = classifier
  const { inputVersion, isReplay, families } = plan
  const { name, version, sha256 } = identity
  const path =
    plan.memory === 'none' ? undefined : plan.memory === 'default' ? usualStateFile(identity) : plan.memory.file
  const key = { model: { name, version, sha256 }, inputVersion, shape: shapeOf(features, taxonomy) }
  const memory = path === undefined ? undefined : await openMemory(path, key, { isReplay, warn: voice.warn })
  const alerts = openAlerts(plan.alerts, voice.warn)
  const told: Alarm[] = []
  const shared = new Set<string>()
  let isBroken = false
  let hasNews = false
  let saidAt = Date.now()
  let saying: Promise<unknown> = Promise.resolve()
  let closing: Promise<void> | undefined

  const watch = createNightWatch({
    ...{ features, missing: preprocessing.missing, taxonomy, families, profile, inputVersion },
    memory: memory?.memory ?? noMemory,
    onChange(change) {
      hasNews = true
      keepTold(change)
      // others may have said it, and their file knows
      if (memory && change.event === 'begun') saying = saying.then(() => memory.flush(watch)).then(() => say(change))
      else saying = saying.then(() => say(change))
    },
  })

  function keepTold({ alarm }: AlarmChange): void {
    const place = told.findIndex(({ id }) => id === alarm.id)
    if (place >= 0) told[place] = alarm
    else told.push(alarm)
  }

  function say(change: AlarmChange): void {
    const { event, alarm, text } = change
    if (event === 'begun' && memory?.isKnownElsewhere(alarm)) shared.add(alarm.id)
    if (shared.has(alarm.id)) return
    if (event === 'begun') voice.begun(text, alarm)
    else voice.told(text, alarm)
    alerts.send(alertOf(change, key))
  }

  const seeCalibrated = calibration && createCalibrationWatch(calibration)
  const drifts = new Set<string>()

  function sayDrift({ begun, ended }: ReturnType<ReturnType<typeof createCalibrationWatch>>): void {
    for (const { message } of begun) {
      drifts.add(message)
      voice.warn(message)
    }
    for (const { about } of ended) voice.told(`${about}: back to normal`)
  }

  /** Whatever goes wrong here, the run goes on. */
  function guarded(work: () => void): void {
    if (isBroken) return
    try {
      work()
    } catch (error) {
      isBroken = true
      voice.warn(`the night watch failed, and is off: ${messageOf(error)}`)
    }
  }

  async function flushDue(): Promise<void> {
    if (!memory || (!hasNews && Date.now() - saidAt < signOfLifeMs)) return
    hasNews = false
    saidAt = Date.now()
    await memory.flush(watch)
  }

  const timer = setInterval(() => void flushDue(), flushEveryMs)
  timer.unref()

  async function end(): Promise<void> {
    clearInterval(timer)
    await saying
    await memory?.flush(watch, true)
    await alerts.close()
  }

  return {
    classifier: {
      ...classifier,
      async classify(batch: Parameters<Classifier['classify']>[0]) {
        // now, because the classifier takes the matrix over
        guarded(() => watch.see(batch))
        const classified = await classifier.classify(batch)
        guarded(() => {
          watch.seeAnswers(classified)
          if (seeCalibrated) sayDrift(seeCalibrated(classified))
        })
        hasNews = true
        return classified
      },
    } satisfies Classifier,
    view: (): WatchView => watch.view(),
    /** Nothing more comes: what was found is said. Answers the alarms of this run, in their order. */
    finish(): readonly Alarm[] {
      guarded(() => watch.finish())
      const open = watch.view().alarms
      return told.map((alarm) => open.find(({ id }) => id === alarm.id) ?? alarm)
    },
    /** what calibrated answers drifted to, in sentences */
    get drifts(): readonly string[] {
      return [...drifts]
    },
    get tooFew() {
      return watch.tooFew
    },
    /** Keeps what was learned, and tells what is not told yet, for a few seconds at most. */
    close: (): Promise<void> =>
      (closing ??= Promise.race([end(), new Promise<void>((resolve) => setTimeout(resolve, closeWithinMs).unref())])),
  }
}

/** What a receiver gets: `schemas/watch-alert.json`. */
function alertOf(
  { event, alarm, text }: AlarmChange,
  { model, inputVersion }: { readonly model: object; readonly inputVersion: string },
): object {
  const { id, kind, families, features, shares, usual, observed, first, last, objects, consequences } = alarm
  return {
    ...{ schemaVersion: 1, event, id, kind, text, model, inputVersion, families, features, shares, usual, observed },
    ...{ first, last, objects, consequences, sentAt: new Date().toISOString() },
  }
}
