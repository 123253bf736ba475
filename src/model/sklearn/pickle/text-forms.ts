// How pickle's text opcodes (protocol 0) write numbers and strings.

/** An integer as Python prints it, perhaps with the `L` of Python 2; undefined for what is none. */
export function readIntegerText(text: string): number | bigint | undefined {
  const digits = text.endsWith('L') ? text.slice(0, -1) : text
  if (!/^[+-]?\d{1,1000}$/.test(digits)) return undefined
  const value = Number(digits)
  return Number.isSafeInteger(value) ? value : BigInt(digits.replace(/^\+/, ''))
}

/** A little-endian integer in two's complement, as LONG1 and LONG4 hold it. */
export function readLong(bytes: Uint8Array): number | bigint {
  if (bytes.length === 0) return 0
  const value = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
  const signed = BigInt.asIntN(bytes.length * 8, value)
  const small = Number(signed)
  return Number.isSafeInteger(small) ? small : signed
}

/** A float as Python's `repr` writes it; undefined for what is none. */
export function readFloatText(text: string): number | undefined {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text)
  if (/^[+-]?nan$/i.test(text)) return NaN
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text)
  return infinite ? (infinite[1] === '-' ? -Infinity : Infinity) : undefined
}

/**
 * A text in Python's raw-unicode-escape: Latin-1 with `\uXXXX` and `\UXXXXXXXX`; undefined for a broken escape. Arrays
 * travel in it, with an escape for every zero byte, so it is read byte by byte.
 */
export function readRawUnicode(line: Buffer): string | undefined {
  if (!line.includes(backslash)) return line.toString('latin1')
  const units = new Uint16Array(line.length)
  let end = 0
  for (let at = 0; at < line.length;) {
    const byte = line[at++]!
    units[end++] = byte
    if (byte !== backslash || at >= line.length) continue
    const kind = line[at++]!
    const digits = kind === smallU ? 4 : kind === capitalU ? 8 : 0
    if (digits === 0) {
      units[end++] = kind
      continue
    }
    const point = readHex(line, at, digits)
    if (point === undefined) return undefined
    at += digits
    if (point > 0xffff) {
      units[end - 1] = 0xd800 + ((point - 0x10000) >> 10)
      units[end++] = 0xdc00 + (point & 0x3ff)
    } else units[end - 1] = point
  }
  const text = Buffer.from(units.buffer, 0, end * 2)
  return units.subarray(0, end).every((unit) => unit < 256)
    ? Buffer.from(units.subarray(0, end)).toString('latin1')
    : text.toString('utf16le')
}

const backslash = 0x5c
const smallU = 0x75
const capitalU = 0x55

/** A code point in hexadecimal; undefined for what is none. */
function readHex(line: Buffer, start: number, digits: number): number | undefined {
  let value = 0
  for (let at = start; at < start + digits; at++) {
    const byte = line[at] ?? 0
    const lower = byte | 0x20
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : undefined
    if (digit === undefined) return undefined
    value = value * 16 + digit
  }
  return value <= 0x10ffff ? value : undefined
}

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** A byte string as Python 2's `repr` writes it, quotes included, one character a byte; undefined for a broken one. */
export function readQuoted(line: Buffer): string | undefined {
  const text = line.toString('latin1').trimEnd()
  const quote = text[0]
  if (text.length < 2 || (quote !== "'" && quote !== '"') || !text.endsWith(quote)) return undefined
  return text
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|([^]))/g, (all, hex, octal, other) =>
      hex !== undefined
        ? String.fromCharCode(parseInt(hex, 16))
        : octal !== undefined
          ? String.fromCharCode(parseInt(octal, 8) & 255)
          : (escapes[other] ?? all),
    )
}
