// What the night watch knows, shown; and what it found, accepted as usual.
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LcclfError, messageOf, systemCode, UsageError } from '../../errors.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import { forgotten } from '../../model/watch/night-watch.ts'
import { changeStates, type OwnedAlarm, readStates, type WatchState } from '../../model/watch/watch-state.ts'
import { print } from '../../terminal/standard-streams.ts'
import { harmless } from '../../terminal/text-table.ts'

/** What is typed after both commands. */
export interface WatchStateFlags {
  readonly watchState?: string | undefined
  readonly json: boolean
}

/** Prints what is usual, from how much it is known, and the alarms that are open. */
export async function showWatch({ watchState, json }: WatchStateFlags): Promise<number> {
  const states = await statesOf(filesOf(watchState))
  if (json) {
    await print(`${JSON.stringify({ schemaVersion: 1, command: 'watch show', states: states.map(shownState) })}\n`)
    return 0
  }
  const lines = states.flatMap(linesOf).map(harmless)
  await print(lines.length === 0 ? 'The night watch knows nothing yet.\n' : `${lines.join('\n')}\n`)
  return 0
}

/**
 * Accepts alarms: what they tell is learned anew, also by streams that run, within a minute.
 *
 * @param what ids of alarms, families, features, classes, or `all`
 * @throws UsageError where one is no open alarm's
 */
export async function acceptWatch(what: readonly string[], { watchState, json }: WatchStateFlags): Promise<number> {
  const files = filesOf(watchState)
  const open = (await statesOf(files)).flatMap(({ alarms }) => alarms)
  const unknown = what.find((word) => !open.some((alarm) => isMeant(alarm, word)))
  if (unknown !== undefined) {
    const known = open.map(({ alarm }) => `${alarm.id} (${alarm.families.join(', ')})`).join('; ')
    throw new UsageError(`no open alarm is about ${unknown}`, {
      hint: known === '' ? 'None is open.' : `Open are: ${known}.`,
    })
  }
  const accepted: OwnedAlarm[] = []
  for (const file of files) {
    await writing(file, () =>
      changeStates(
        file,
        (states) => states.map((state) => acceptedState(state, what, accepted)),
        () => undefined,
      ),
    )
  }
  const ids = [...new Set(accepted.map(({ alarm }) => alarm.id))]
  if (json) await print(`${JSON.stringify({ schemaVersion: 1, command: 'watch accept', accepted: ids })}\n`)
  else await print(accepted.map(({ alarm }) => `${harmless(`accepted: ${alarm.message}`)}\n`).join(''))
  return 0
}

function isMeant({ alarm }: OwnedAlarm, word: string): boolean {
  const { id, families, features, shares } = alarm
  return word === 'all' || [id, ...families, ...features, ...shares.map((share) => share.class)].includes(word)
}

function acceptedState(state: WatchState, what: readonly string[], accepted: OwnedAlarm[]): WatchState {
  const meant = state.alarms.filter((alarm) => what.some((word) => isMeant(alarm, word)))
  if (meant.length === 0) return state
  accepted.push(...meant)
  const alarms = meant.map(({ alarm }) => alarm)
  return {
    ...state,
    alarms: state.alarms.filter((alarm) => !meant.includes(alarm)),
    nights: forgotten(state.nights, alarms, state.shape.features),
    accepted: [
      ...new Set([...state.accepted, ...alarms.flatMap(({ features, families }) => [...features, ...families])]),
    ],
    acceptedIds: [...state.acceptedIds, ...alarms.map(({ id }) => id)],
  }
}

function filesOf(watchState: string | undefined): string[] {
  if (watchState !== undefined) return [watchState]
  const folder = join(dirname(modelStore().root), 'watch')
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
      .map((name) => join(folder, name))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
}

async function statesOf(files: readonly string[]): Promise<WatchState[]> {
  const states: WatchState[] = []
  for (const file of files) states.push(...(await writing(file, () => readStates(file))))
  return states
}

/** @throws UsageError for a file that is no state, or cannot be read or written */
async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof LcclfError) throw error
    throw new UsageError(`${file} is not a state of the night watch: ${messageOf(error)}`, {
      hint: 'The watch puts a damaged file aside when it next writes, and begins anew.',
      cause: error,
    })
  }
}

function shownState({ model, inputVersion, nights, alarms }: WatchState) {
  const objects = nights.reduce((sum, night) => sum + night.objects, 0)
  return { model, inputVersion, nights: nights.length, objects, alarms: alarms.map(({ alarm }) => alarm) }
}

function linesOf(state: WatchState): string[] {
  const { model, inputVersion, nights, objects, alarms } = shownState(state)
  const version = inputVersion === 'unknown' ? '' : `, feature version ${inputVersion}`
  const known = `${objects.toLocaleString('en')} objects in ${nights} nights or portions`
  return [
    `${model.name} ${model.version}${version}: ${known}`,
    ...(alarms.length === 0 ? ['  nothing is unusual'] : alarms.map(({ id, message }) => `  ${id}  ${message}`)),
  ]
}
