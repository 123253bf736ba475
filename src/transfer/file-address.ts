// file:… → a path of this machine.
import { fileURLToPath } from 'node:url'
import { UsageError } from '../errors.ts'
import { redactedText } from '../formats/shown-address.ts'

/**
 * The path of `file:/folder/`, `file:///folder/`, its escapes (`%20`) undone.
 *
 * @throws UsageError for a file address of another machine, or one that is none
 */
export function pathOfFileAddress(address: string, hint: string): string {
  try {
    const path = address.replace(/^file:/i, '')
    return fileURLToPath(path.startsWith('/') ? `file:${path}` : `file:///${path}`)
  } catch (cause) {
    throw new UsageError(`${redactedText(address)}: is no file address`, { cause, hint })
  }
}
