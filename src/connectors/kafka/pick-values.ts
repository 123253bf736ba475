// Numbers of one array at chosen places → another, in a loop of its own: within a larger function it costs memory.

/** Where the numbers are: in `values`, from `start` on. */
interface Place {
  readonly values: Float64Array
  readonly start: number
}

/** Copies the values at these places, NaN for a place below 0. */
export function pickValues(from: Place, places: Int32Array, into: Place): void {
  const { values, start } = from
  const { values: target, start: targetStart } = into
  for (let i = 0; i < places.length; i++) {
    const place = places[i]!
    if (place < 0) target[targetStart + i] = NaN
    else target[targetStart + i] = values[start + place]!
  }
}
