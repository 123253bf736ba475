// A SHA256SUMS file, as sha256sum writes it.
import { readFileSync } from 'node:fs'
import { messageOf, systemCode, UsageError } from '../../errors.ts'

/** File name → sha256 in lower case. */
export type Sha256Sums = ReadonlyMap<string, string>

/**
 * Reads the list; folders before a name are dropped, because an address has its own.
 *
 * @throws UsageError for a line that is none of its kind, or a file named twice with different sums
 */
export function readSha256Sums(path: string): Sha256Sums {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`--sha256 ${path}: cannot be read (${systemCode(cause) ?? messageOf(cause)})`, { cause })
  }
  const sums = new Map<string, string>()
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('#')) return
    const [, sum, name] = /^([0-9a-fA-F]{64}) [ *](.+)$/.exec(line) ?? []
    const file = name?.split(/[/\\]/).at(-1)
    if (sum === undefined || file === undefined || (sums.get(file) ?? sum.toLowerCase()) !== sum.toLowerCase()) {
      throw new UsageError(`--sha256 ${path}: line ${index + 1} is not "sha256  name"`, {
        hint: 'Expected what sha256sum writes, each file once.',
      })
    }
    sums.set(file, sum.toLowerCase())
  })
  if (sums.size === 0) throw new UsageError(`--sha256 ${path}: names no file`)
  return sums
}
