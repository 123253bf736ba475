// A JSON text with one value after the other replaced by what a stranger, or a broken disk, may have left there.

/** as JSON, so that it holds what no value does: numbers beyond all numbers, keys that are no keys of ours */
const strange = [
  ...['null', 'true', '-1', '1.5', '0', '9007199254740991', '1e15', '1e999', '""', '"x"', '"../../x"'],
  ...['"\\u001b[2J\\n"', '[]', '[null]', '[[]]', '{}', '{"__proto__":1}', '"__proto__"', '"constructor"'],
]

/** Of a list the first and the last entries are enough. */
const entriesTried = 2

/** The variants of a JSON text: each value replaced, each key left out, the text cut and doubled. */
export function* strangersJson(text: string): Generator<string, void, undefined> {
  for (const length of [0, 1, text.length >> 1, text.length - 2]) yield text.slice(0, length)
  yield text + text
  yield* strange
  const mark = '"\u0000"'
  const value: unknown = JSON.parse(text)
  for (const [holder, key] of placesIn(value)) {
    const kept = holder[key]
    holder[key] = '\u0000'
    const marked = JSON.stringify(value).replace('"\\u0000"', mark)
    for (const json of strange) yield marked.replace(mark, () => json)
    delete holder[key]
    yield JSON.stringify(value)
    holder[key] = kept
  }
}

function* placesIn(value: unknown): Generator<[Record<string, unknown>, string], void, undefined> {
  if (typeof value !== 'object' || value === null) return
  const keys = Object.keys(value)
  const tried = Array.isArray(value) ? [...new Set([...keys.slice(0, entriesTried), ...keys.slice(-1)])] : keys
  for (const key of tried) {
    yield [value as Record<string, unknown>, key]
    yield* placesIn((value as Record<string, unknown>)[key])
  }
}
