// What the night watch says, in sentences for people.
import { percent, unitOf } from '../profile/compare-inputs.ts'
import type { Alarm, ShareShift, WatchedObject } from './alarm.ts'
import { marginLevel } from './answer-blocks.ts'
import type { UsualValues } from './usual.ts'

const shownNames = 3
const secondsText = /:\d\d\.\d{3}Z$/

/** `W1-W2, W2-W3, g-W2, …` */
function some(names: readonly string[]): string {
  return `${names.slice(0, shownNames).join(', ')}${names.length > shownNames ? ', …' : ''}`
}

/**
 * What an alarm is about: `WISE colours (W1-W2, W2-W3, g-W2, …)`.
 *
 * @param sizeOf how many features of the model a family has
 */
function subjectOf({ features, families }: Pick<Alarm, 'features' | 'families'>, sizeOf: SizeOf): string {
  const [family] = families
  if (families.length > 1) return `${features.length} features of ${families.length} families (${some(families)})`
  if (features.length === 1) return features[0] === family ? family! : `${features[0]} (${family})`
  const all = sizeOf(family!)
  return all === features.length
    ? `${family} (${some(features)})`
    : `${features.length} of ${all} ${family} (${some(features)})`
}

type SizeOf = (family: string) => number

/** `since 2025-10-28T03:12Z, feature version 27.5.7`; where nothing says when, which object it was. */
function since({ time, number, oid }: WatchedObject, inputVersion: string): string {
  const from = time === null ? `object ${shown(number)} (${oid})` : time.replace(secondsText, 'Z')
  return `since ${from}${inputVersion === 'unknown' ? '' : `, feature version ${inputVersion}`}`
}

function soFar(objects: number): string {
  return `${shown(objects)} objects so far`
}

type Facts = Omit<Alarm, 'id' | 'message' | 'last' | 'consequences'>

/** The sentence of an alarm on features that are missing, or present. */
export function missingText(facts: Facts, inputVersion: string, sizeOf: SizeOf): string {
  const { kind, features, usual, observed, first, objects } = facts
  const verb = features.length === 1 ? 'is' : 'are'
  const said = kind === 'missing' ? `missing in ${percent(observed)}` : `there in ${percent(1 - observed)}`
  const known = usual === null ? 'not known yet' : percent(kind === 'missing' ? usual : 1 - usual)
  const when = since(first, inputVersion)
  return `${subjectOf(facts, sizeOf)} ${verb} ${said} ${when}; usual ${known}; ${soFar(objects)}`
}

/**
 * The sentence of an alarm on values.
 *
 * @param values of the first feature, as they are now
 */
export function valuesText(
  facts: Facts,
  { usual, values }: { readonly usual: UsualValues; readonly values: Float32Array },
  inputVersion: string,
  sizeOf: SizeOf,
): string {
  const { first, objects, features } = facts
  const of = features.length === 1 ? '' : `${features[0]}: `
  const what = `${of}${changeOf(usual, values)}`
  return `${subjectOf(facts, sizeOf)}: ${what} ${since(first, inputVersion)}; ${soFar(objects)}`
}

/** What happened to values: another unit, another sign, always one number, or just another range. */
function changeOf(usual: UsualValues, values: Float32Array): string {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted[sorted.length >> 1] ?? 0
  if (sorted.length > 1 && sorted[0] === sorted.at(-1)) return `always ${short(middle)}, usual ${rangeOf(usual)},`
  const sizes = sorted.map(Math.abs).sort((a, b) => a - b)
  const size = sizes[sizes.length >> 1] ?? 0
  const negative = sorted.filter((value) => value < 0).length / Math.max(1, sorted.length)
  // some noise has either sign
  const isTurned = Math.abs(negative - usual.negative) > 0.6 && Math.abs(negative + usual.negative - 1) < 0.2
  const unit = unitOf(size, usual.typicalSize)
  if (isTurned) return `values have the opposite sign (typically ${short(middle)}, usual ${rangeOf(usual)})`
  if (unit !== undefined) return unit
  return `values lie elsewhere (typically ${short(middle)}, usual ${rangeOf(usual)})`
}

function rangeOf({ low, high }: UsualValues): string {
  return `${short(low)} to ${short(high)}`
}

const shownShares = 3

/** The sentence of an alarm on classes. */
export function classesText({ shares, first, objects }: Facts, inputVersion: string): string {
  const [largest, ...others] = shares
  const also = others.slice(0, shownShares).map((share) => `${nameOf(share)} ${movement(share)}`)
  const more = also.length === 0 ? '' : `; also ${also.join(', ')}${others.length > shownShares ? ', …' : ''}`
  const { observed, usual } = largest!
  return `${subjectOfShare(largest!)} ${percent(observed)} ${since(first, inputVersion)}; usual ${percent(usual)}${more}; ${soFar(objects)}`
}

/** A share that moved because of something else. */
export function consequenceText(share: ShareShift): string {
  return `${subjectOfShare(share)} ${percent(share.observed)}; usual ${percent(share.usual)}`
}

function nameOf({ level, class: name }: ShareShift): string {
  return level === marginLevel ? `margins ${name}` : name
}

function subjectOfShare(share: ShareShift): string {
  if (share.level === marginLevel) return `the share of margins from ${share.class} is`
  return `the share of ${share.class} (${share.level}) is`
}

function movement({ observed, usual }: ShareShift): string {
  return `${percent(observed)} (usual ${percent(usual)})`
}

const soFarText = /; [\d,]+ objects so far$/

/** The sentence of an alarm that has gone on. */
export function goneOn({ message, objects }: Pick<Alarm, 'message' | 'objects'>): string {
  return message.replace(soFarText, `; ${soFar(objects)}`)
}

/** The sentence of an alarm that is over. */
export function over({ message, objects }: Pick<Alarm, 'message' | 'objects'>, last: WatchedObject): string {
  return message.replace(
    soFarText,
    `; ${shown(objects)} objects, until ${last.time?.replace(secondsText, 'Z') ?? last.oid}`,
  )
}

/** The sentence of an alarm's end. */
export function endText({ families, features, shares, first, objects }: Facts, last: WatchedObject): string {
  const what = shares[0] ? `the share of ${nameOf(shares[0])}` : features.length === 1 ? features[0]! : some(families)
  const isOne = shares.length > 0 || features.length === 1
  return `${what} ${isOne ? 'is' : 'are'} back to normal after ${shown(objects)} objects, from ${first.oid} to ${last.oid}`
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function shown(count: number): string {
  return count.toLocaleString('en')
}
