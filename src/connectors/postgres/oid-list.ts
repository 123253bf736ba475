// The objects of `?oids=FILE`.
import { readFileSync } from 'node:fs'
import { UsageError, whyUnreadable } from '../../errors.ts'

/**
 * Reads a file with one object id per line: each once, in its order. Blank lines are ignored; a first line `oid` is a heading.
 * Ids are opaque: no quotes, no commas.
 *
 * @throws UsageError if the file cannot be read
 */
export function readOidList(path: string): readonly string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`cannot read ?oids=${path} (${whyUnreadable(cause)})`, { cause })
  }
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  if (lines[0]?.trim() === 'oid') lines.shift()
  // no oid in Postgres holds a NUL, which would make the statement fail
  return [...new Set(lines.map((line) => line.trim()))].filter((oid) => oid !== '' && !oid.includes('\0'))
}
