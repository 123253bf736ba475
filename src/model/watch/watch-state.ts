// What watches have learned, in a file: shared by processes, rolled up, and never in anybody's way.
import { readFile, rename } from 'node:fs/promises'
import { messageOf, systemCode } from '../../errors.ts'
import { jsonChecker, type JsonChecker } from '../../formats/checked-json.ts'
import { hasEnded, type Owner, ownerHere, parseOwner } from '../../owner.ts'
import type { ModelIdentity } from '../../pipeline/batch.ts'
import { takeLock } from '../../transfer/lock.ts'
import { writeWholeFile } from '../../whole-file.ts'
import type { Alarm, AlarmKind } from './alarm.ts'
import type { SavedAlarm, SavedFinding } from './alarm-book.ts'
import { nightText, readNight } from './learned-form.ts'
import type { LearnedNight, WatchShape } from './learned-nights.ts'

/** What is known of one model and one version of its inputs. */
export interface WatchState {
  readonly model: Pick<ModelIdentity, 'name' | 'version' | 'sha256'>
  readonly inputVersion: string
  readonly shape: WatchShape
  readonly nights: readonly LearnedNight[]
  readonly alarms: readonly OwnedAlarm[]
  /** features and levels of which the profile is not asked any more */
  readonly accepted: readonly string[]
  /** alarms that somebody has accepted, for processes that still have them open */
  readonly acceptedIds: readonly string[]
  /** milliseconds since 1970 */
  readonly updatedAt: number
}

/** An alarm, and whose it is: null where its process ended in order. */
export interface OwnedAlarm extends SavedAlarm {
  readonly owner: (Owner & { readonly token: string }) | null
  readonly seenAt: number
}

/** a file holds the states of so many models and versions, the latest */
const keptStates = 8
const keptIds = 100
/** a process of another machine is taken for ended after this silence */
const silenceMs = 900_000
const lockWithinMs = 20_000

/** Whether somebody else is at it. */
export function isForeign({ owner, seenAt }: OwnedAlarm, token: string): boolean {
  return owner !== null && owner.token !== token && !hasEnded(owner) && Date.now() - seenAt < silenceMs
}

export function newToken(): string {
  return `${process.pid}-${Math.random().toString(36).slice(2)}`
}

export function ownerOf(token: string): Owner & { readonly token: string } {
  return { ...ownerHere(), token }
}

/** Whether a state is of this model and version, and of the same features and classes. */
export function isStateOf(
  state: WatchState,
  { model, inputVersion, shape }: Pick<WatchState, 'model' | 'inputVersion' | 'shape'>,
) {
  const isSame = state.model.sha256 === model.sha256 && state.inputVersion === inputVersion
  return isSame && JSON.stringify(state.shape) === JSON.stringify(shape)
}

/**
 * Reads the states of a file.
 *
 * @returns none where there is no file
 * @throws Error that says what is wrong with a file that cannot be read
 */
export async function readStates(path: string): Promise<WatchState[]> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw error
  }
  const check = jsonChecker((what, cause) => new Error(what, { cause }))
  const file = check.record(check.json(text), 'state')
  if (file['formatVersion'] !== 1) throw check.error('formatVersion')
  return check.list(file['states'], 'states').map((state) => readState(check, check.record(state, 'state')))
}

/**
 * Changes the states of a file, while no other process does. A damaged file is put aside, and begun anew.
 *
 * @param change answers all that is to be kept
 * @param onDamage is told what was wrong, in words
 * @throws the system's error where the file cannot be written, or is locked for too long
 */
export async function changeStates(
  path: string,
  change: (states: readonly WatchState[]) => readonly WatchState[],
  onDamage: (why: string) => void,
): Promise<void> {
  const lock = await takeLock(`${path}.lock`, { signal: AbortSignal.timeout(lockWithinMs), staleMs: 30_000 })
  try {
    const states = await readStates(path).catch(async (error: unknown) => {
      if (systemCode(error) !== undefined) throw error
      await rename(path, `${path}.damaged`)
      onDamage(messageOf(error))
      return []
    })
    const kept = [...change(states)].sort((a, b) => b.updatedAt - a.updatedAt).slice(0, keptStates)
    await writeWholeFile(path, `${JSON.stringify({ formatVersion: 1, states: kept.map(writtenState) })}\n`)
  } finally {
    await lock.release()
  }
}

/** Nights that are unchanged are not packed again. */
const packed = new WeakMap<LearnedNight, string>()

function writtenState({ nights, acceptedIds, ...state }: WatchState) {
  const written = nights.map((night) => {
    const data = packed.get(night) ?? nightText(night)
    packed.set(night, data)
    return { night: night.night, nights: night.nights, data }
  })
  return { ...state, acceptedIds: acceptedIds.slice(-keptIds), nights: written }
}

function readState(check: JsonChecker, state: Record<string, unknown>): WatchState {
  const model = check.record(state['model'], 'model')
  const named = check.record(state['shape'], 'shape')
  const names = (value: unknown, what: string): string[] =>
    check.list(value, what).map((name) => check.text(name, what))
  const shape: WatchShape = {
    features: check.names(named['features'], 'features'),
    levels: check.list(named['levels'], 'levels').map((one) => {
      const level = check.record(one, 'level')
      return { name: check.text(level['name'], 'level'), classes: check.names(level['classes'], 'classes') }
    }),
  }
  return {
    model: {
      name: check.text(model['name'], 'model'),
      version: check.text(model['version'], 'model'),
      sha256: check.sha256(model['sha256'], 'model'),
    },
    inputVersion: check.text(state['inputVersion'], 'inputVersion'),
    shape,
    nights: check.list(state['nights'], 'nights').map((one) => {
      const night = check.record(one, 'night')
      const data = check.text(night['data'], 'night')
      const place = { night: check.number(night['night'], 'night'), nights: check.count(night['nights'], 'night') }
      return unpacked(data, place, shape, check)
    }),
    alarms: check.list(state['alarms'], 'alarms').map((one) => readAlarm(check, check.record(one, 'alarm'))),
    accepted: names(state['accepted'], 'accepted'),
    acceptedIds: names(state['acceptedIds'], 'acceptedIds'),
    updatedAt: check.number(state['updatedAt'], 'updatedAt'),
  }
}

/** Nights are kept unpacked for as long as somebody has them: a process reads its file every minute. */
const known = new Map<string, WeakRef<LearnedNight>>()

function unpacked(
  data: string,
  place: { night: number; nights: number },
  shape: WatchShape,
  check: JsonChecker,
): LearnedNight {
  const kept = known.get(data)?.deref()
  if (kept?.night === place.night && kept.nights === place.nights && kept.seen.length === shape.features.length)
    return kept
  try {
    const night = readNight(data, place, shape)
    packed.set(night, data)
    known.set(data, new WeakRef(night))
    if (known.size > 1_000) known.clear()
    return night
  } catch (cause) {
    throw check.error(`night ${place.night} (${messageOf(cause)})`)
  }
}

const kinds: readonly AlarmKind[] = ['missing', 'present', 'values', 'classes']

/** Fields of an alarm are only shown: they need not be more than there. */
function readAlarm(check: JsonChecker, value: Record<string, unknown>): OwnedAlarm {
  const alarm = check.record(value['alarm'], 'alarm')
  const kindOf = (of: unknown): AlarmKind => kinds.find((kind) => kind === of) ?? fail()
  const fail = (): never => {
    throw check.error('kind of an alarm')
  }
  check.text(alarm['id'], 'alarm')
  check.text(alarm['message'], 'alarm')
  check.count(alarm['objects'], 'alarm')
  check.text(check.record(alarm['first'], 'alarm')['oid'], 'alarm')
  for (const name of ['families', 'features', 'consequences']) {
    for (const text of check.list(alarm[name], name)) check.text(text, name)
  }
  const findings = check.list(value['findings'], 'findings').map((one): SavedFinding => {
    const finding = check.record(one, 'finding')
    return {
      kind: kindOf(finding['kind']),
      name: check.text(finding['name'], 'finding'),
      group: check.count(finding['group'], 'finding'),
      alternative: check.count(finding['alternative'], 'finding'),
      isFollower: finding['isFollower'] === true,
    }
  })
  const owner = value['owner'] === null ? null : parseOwner(JSON.stringify(value['owner']))
  const token = owner ? check.text(check.record(value['owner'], 'owner')['token'], 'owner') : ''
  return {
    alarm: {
      ...(alarm as unknown as Alarm),
      kind: kindOf(alarm['kind']),
      shares: check.list(alarm['shares'], 'shares') as Alarm['shares'],
    },
    findings,
    owner: owner ? { ...owner, token } : null,
    seenAt: check.number(value['seenAt'], 'seenAt'),
  }
}
