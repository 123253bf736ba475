// CSV and NDJSON made of what their readers look at: quotes, escapes, long runs, digits, nesting, marks; gzip around them.
import { deflateRawSync, gzipSync } from 'node:zlib'
import { type Dice, hostileInteger } from './dice.ts'

const longest = 300_000

/** Text that is short to say and long to read. */
function run(dice: Dice): string {
  const unit = dice.pick([
    ...[
      '1',
      '9',
      '0',
      '.',
      '-',
      '+',
      'e',
      '1e',
      ' ',
      '\t',
      '"',
      '""',
      '\\',
      '\\"',
      '\\u0000',
      '\\\\',
      ',',
      ':',
      '[',
      ']',
    ],
    ...['{', '{"a":', '[[', 'NaN', 'Infinity', '-', '\r', '\u2028', '\0', 'ä', '\ufeff', '1,', '1.5,', '"a":1,', ' ,'],
  ])
  return unit.repeat(dice.size(longest / unit.length))
}

function number(dice: Dice): string {
  const digits = dice.pick(['1', '9', '12', '0', '123456789'])
  const many = (): string => digits.repeat(dice.size(longest / digits.length))
  return dice.pick([
    () => many(),
    () => `${many()}x`,
    () => `-${many()}.${many()}`,
    () => `${many()}.${many()}e${dice.pick(['', '-', '+'])}${many()}x`,
    () => `${' '.repeat(dice.size(longest))}1`,
    () => `1${' '.repeat(dice.size(longest))}`,
    () => String(hostileInteger(dice, 5)),
    () => dice.pick(['NaN', 'inf', '-Infinity', '\\N', '<NA>', '1e999', '-0', '.', '+', '1_0', '0x10', '1n']),
  ])()
}

/** A header and rows; any cell, and any line end, may be something else. */
export function csvAttack(dice: Dice, features: readonly string[]): Buffer {
  const isHostile = (): boolean => dice.chance(0.1)
  const cell = (right: string): string => (isHostile() ? dice.pick([run, number])(dice) : right)
  const lineEnd = (): string =>
    isHostile() ? dice.pick(['\r\n', '\r', '\n\n\n', '', '\n"', '"\n', '\n'.repeat(dice.size(longest))]) : '\n'
  const names = ['oid', 'candid', ...features]
  const more = dice.chance(0.2) ? dice.times(dice.size(30_000), (i) => dice.pick(['', 'a', `x${i}`])) : []
  const header = [...names, ...more].map((name) => (dice.chance(0.002) ? run(dice).slice(0, 200) : name))
  const row = (i: number): string => {
    const cells = [
      cell(`o${i}`),
      cell(String(10n ** 18n + BigInt(i))),
      ...features.map(() => cell('0.5')),
      ...more.map(() => ''),
    ]
    return (dice.chance(0.05) ? cells.slice(0, dice.below(cells.length)) : cells).join(',')
  }
  const rows = dice.times(dice.size(40), (i) => row(i) + lineEnd())
  return Buffer.from(`${header.join(',')}${lineEnd()}${rows.join('')}`)
}

/** Values that JSON has and the reader does not need, and those that it needs, as strange as JSON lets them be. */
function json(dice: Dice, depth: number): string {
  return dice.pick([
    () => number(dice),
    () => JSON.stringify(run(dice)),
    () => `"${run(dice)}"`,
    () => `"\\u0000${dice.pick(['123', 'x1', 'NaN', '0'.repeat(dice.size(longest))])}"`,
    () => '['.repeat(dice.size(longest)) + ']'.repeat(dice.size(longest)),
    () => `[${dice.pick(['null,', '[],', '{},', '1,', `${'9'.repeat(20)},`]).repeat(dice.size(40_000))}1]`,
    () => (depth === 0 ? 'null' : `{"a":${json(dice, depth - 1)},"__proto__":${json(dice, depth - 1)}}`),
    () => (depth === 0 ? 'true' : `[${json(dice, depth - 1)},${json(dice, depth - 1)}]`),
  ])()
}

export function ndjsonAttack(dice: Dice, features: readonly string[]): Buffer {
  const line = (i: number): string => {
    const value = (right: string): string => (dice.chance(0.08) ? json(dice, 2) : right)
    const pairs = [
      `"oid":${value(dice.pick([`"o${i}"`, String(i)]))}`,
      `"candid":${value(String(10n ** 18n + BigInt(i)))}`,
      ...features.map((name) => `${JSON.stringify(name)}:${value('0.5')}`),
    ]
    if (dice.chance(0.1)) pairs.push(`"features":${json(dice, 2)}`)
    if (dice.chance(0.05)) pairs.push(...dice.times(dice.size(20_000), (j) => `"k${j % 100}":${j}`))
    const text = `{${pairs.join(dice.chance(0.05) ? run(dice).slice(0, 50) : ',')}}`
    return dice.chance(0.05) ? text.slice(0, dice.below(text.length)) : text
  }
  return Buffer.from(
    dice.times(1 + dice.size(20), line).join(dice.chance(0.05) ? '\n'.repeat(dice.size(longest)) : '\n'),
  )
}

/** The bytes as gzip: in members of any size, empty ones, headers with long names, sums that are wrong, gzip in gzip. */
export function gzipAttack(dice: Dice, plain: Buffer): Buffer {
  const member = (bytes: Buffer): Buffer => {
    if (dice.chance(0.7)) return gzipSync(bytes, { level: 1 })
    const flags = dice.pick([0, 4, 8, 16, 2, 0xe0, 31])
    const extra = (flags & 4) === 0 ? [] : [Buffer.of(0xff, 0xff), Buffer.alloc(dice.pick([0xffff, 3]))]
    const name = (flags & 8) === 0 ? [] : [Buffer.alloc(dice.size(200_000), 'n'), Buffer.of(0)]
    const head = Buffer.of(0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255)
    return Buffer.concat([head, ...extra, ...name, deflateRawSync(bytes), dice.bytes(8)])
  }
  const members: Buffer[] = []
  for (let at = 0; at < plain.length;) {
    const length = dice.pick([0, 1, 100, 10_000, plain.length])
    members.push(member(plain.subarray(at, at + length)))
    at += length
    if (members.length > 300) break
  }
  const whole = Buffer.concat([...members, ...(dice.chance(0.1) ? [Buffer.alloc(dice.size(100_000))] : [])])
  if (dice.chance(0.1)) return gzipSync(whole)
  return dice.chance(0.1) ? whole.subarray(0, dice.below(whole.length)) : whole
}
