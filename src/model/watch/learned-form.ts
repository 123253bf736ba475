// Counts of nights ↔ text: whole numbers in as few bytes as they need, packed.
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { LearnedNight, WatchShape } from './learned-nights.ts'
import { binCount } from './value-bins.ts'

/** more than any night of any model has */
const mostBytes = 64_000_000

export function nightText(night: LearnedNight): string {
  const { objects, seen, missing, values, classes } = night
  const bytes: number[] = []
  const put = (count: number): void => {
    let rest = Math.round(count)
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
    bytes.push(rest)
  }
  put(objects)
  for (const counts of [seen, missing, ...classes]) counts.forEach(put)
  put(values.places.length)
  values.places.forEach((place, i) => {
    put(place - (values.places[i - 1] ?? 0))
    put(values.counts[i]!)
  })
  return deflateRawSync(Uint8Array.from(bytes)).toString('base64')
}

/** @throws Error for a text that is not of this shape */
export function readNight(
  text: string,
  { night, nights }: { readonly night: number; readonly nights: number },
  { features, levels }: WatchShape,
): LearnedNight {
  const bytes = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: mostBytes })
  let at = 0
  const take = (): number => {
    let [count, unit] = [0, 1]
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined || unit > 2 ** 49) throw new Error('counts of a night are damaged')
      count += (byte % 128) * unit
      unit *= 128
      if (byte < 128) return count
    }
  }
  const list = (length: number): Float64Array => Float64Array.from({ length }, take)
  const objects = take()
  const [seen, missing] = [list(features.length), list(features.length)]
  const classes = levels.map((level) => list(level.classes.length))
  const length = take()
  if (length > features.length * binCount) throw new Error('counts of a night are damaged')
  const places = new Uint32Array(length)
  const counts = new Float64Array(length)
  let place = 0
  for (let i = 0; i < length; i++) {
    place += take()
    places[i] = place
    counts[i] = take()
  }
  if (at !== bytes.length || place >= features.length * binCount) throw new Error('counts of a night are damaged')
  return { night, nights, objects, seen, missing, classes, values: { places, counts } }
}
