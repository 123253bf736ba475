// What a watch remembers from process to process, as long as its file can be written.
import { LcclfError, messageOf } from '../../errors.ts'
import type { Alarm } from '../../model/watch/alarm.ts'
import { addNight } from '../../model/watch/learned-nights.ts'
import type { NightWatch, WatchMemory } from '../../model/watch/night-watch.ts'
import {
  changeStates,
  isForeign,
  isStateOf,
  newToken,
  type OwnedAlarm,
  ownerOf,
  type WatchState,
} from '../../model/watch/watch-state.ts'

/** Whose state it is. */
export type StateKey = Pick<WatchState, 'model' | 'inputVersion' | 'shape'>

/**
 * Opens a state, and takes over alarms of processes that have ended.
 *
 * @param options `isReplay`: nothing is learned, and nothing is written; `warn` is told once what cannot be kept
 */
export async function openMemory(
  path: string,
  key: StateKey,
  options: { readonly isReplay: boolean; readonly warn: (line: string) => void },
) {
  const token = newToken()
  let hasComplained = false
  let known: readonly OwnedAlarm[] = []
  let turn: Promise<unknown> = Promise.resolve()

  function complain(error: unknown): void {
    if (!hasComplained) {
      // its own hint is about results
      const why = error instanceof LcclfError ? error.message : messageOf(error)
      options.warn(`what the night watch learns cannot be kept in ${path}: ${why}`)
    }
    hasComplained = true
  }

  const onDamage = (why: string): void =>
    options.warn(`${path} was damaged (${why}): it is begun anew, and kept as ${path}.damaged`)

  /** Changes this model's state; what is known of others stays. */
  function change(own: (state: WatchState) => WatchState): Promise<void> {
    const changed = turn.then(() =>
      changeStates(
        path,
        (states) => {
          const state = states.find((one) => isStateOf(one, key)) ?? emptyState(key)
          const next = own(state)
          known = next.alarms
          return [...states.filter((one) => one !== state), { ...next, updatedAt: Date.now() }]
        },
        onDamage,
      ),
    )
    turn = changed.catch(() => undefined)
    return changed
  }

  let begin: WatchState = emptyState(key)
  try {
    await change((state) => {
      begin = state
      if (options.isReplay) return state
      const alarms = state.alarms.map((one) => (isForeign(one, token) ? one : owned(one)))
      return { ...state, alarms }
    })
  } catch (error) {
    complain(error)
  }

  function owned(alarm: Omit<OwnedAlarm, 'owner' | 'seenAt'>, isEnd = false): OwnedAlarm {
    return { ...alarm, owner: isEnd ? null : ownerOf(token), seenAt: Date.now() }
  }

  return {
    memory: {
      nights: begin.nights,
      alarms: options.isReplay ? [] : begin.alarms.filter((one) => !isForeign(one, token)),
      accepted: new Set(begin.accepted),
    } satisfies WatchMemory,
    /** Writes what was learned since the last time, and reads what others have. Never throws. */
    async flush(watch: NightWatch, isEnd = false): Promise<void> {
      if (options.isReplay) return
      let learned: ReturnType<NightWatch['takeLearned']> = []
      let seen = emptyState(key)
      try {
        await change((state) => {
          const ids = new Set(state.acceptedIds)
          watch.accept(ids, new Set(state.accepted))
          learned = watch.takeLearned()
          const nights = learned.reduce((all, { night, counts }) => addNight(all, night, counts), [...state.nights])
          const others = state.alarms.filter((one) => isForeign(one, token))
          seen = { ...state, nights, alarms: [...others, ...watch.savedAlarms().map((one) => owned(one, isEnd))] }
          return seen
        })
        watch.setNights(seen.nights)
      } catch (error) {
        // it stays learned here, and is tried again
        watch.returnLearned(learned)
        complain(error)
      }
    },
    /** Whether another process tells of the same already. */
    isKnownElsewhere: ({ kind, families }: Alarm): boolean =>
      known.some((one) => {
        return (
          isForeign(one, token) && one.alarm.kind === kind && one.alarm.families.some((name) => families.includes(name))
        )
      }),
  }
}

function emptyState(key: StateKey): WatchState {
  return { ...key, nights: [], alarms: [], accepted: [], acceptedIds: [], updatedAt: 0 }
}
