// A file with one object id a line.
import { readFileSync } from 'node:fs'
import { messageOf, systemCode, UsageError } from '../../errors.ts'

/**
 * Each id once, in the file's order. Blank lines are nothing; a first line `oid` is a heading. Ids are opaque: no quotes, no
 * commas.
 *
 * @throws UsageError if the file cannot be read
 */
export function readOidList(path: string): readonly string[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`?oids=${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
  const lines = text.replace(/^\ufeff/, '').split(/\r?\n/)
  if (lines[0]?.trim() === 'oid') lines.shift()
  // no oid can hold a NUL in Postgres, and none is worth a failed statement
  return [...new Set(lines.map((line) => line.trim()))].filter((oid) => oid !== '' && !oid.includes('\0'))
}
