// The bytes of an XML document → its text, in the encoding that it declares; the parser below takes text alone.
import { TextDecoder } from 'node:util'
import { DataError } from '../../errors.ts'
import { createByteReader } from '../chunks.ts'
import { shownText } from '../shown-text.ts'

/** a declaration is shorter, and says so at once */
const lookedAt = 200

/** encodings by their names in lower case; the first two are one for every text that is what it says */
const labels: Readonly<Record<string, string>> = {
  'utf-8': 'utf-8',
  utf8: 'utf-8',
  'us-ascii': 'utf-8',
  ascii: 'utf-8',
  // text that was in UTF-16 comes here as UTF-8, and still declares what it was
  'utf-16': 'utf-8',
  'utf-16le': 'utf-8',
  'utf-16be': 'utf-8',
  'iso-8859-1': 'latin1',
  latin1: 'latin1',
  'windows-1252': 'latin1',
}

/** @throws DataError for an encoding that is not known, or bytes that are not in it */
export async function* xmlText(
  chunks: AsyncIterable<Buffer>,
  inputName: string,
): AsyncGenerator<string, void, undefined> {
  const bytes = createByteReader(chunks)
  const head = await bytes.read(lookedAt)
  bytes.unread(head)
  const decoder = new TextDecoder(encodingOf(head, inputName), { fatal: true })
  const decoded = (chunk?: Buffer): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (cause) {
      throw new DataError(`${inputName} holds bytes that are not ${decoder.encoding.toUpperCase()}`, { cause })
    }
  }
  for await (const chunk of bytes.rest()) yield decoded(chunk)
  yield decoded()
}

function encodingOf(head: Buffer, inputName: string): string {
  const declared = /^(?:\u00ef\u00bb\u00bf)?<\?xml [^>]*?encoding\s*=\s*["']([^"']*)["']/.exec(
    head.toString('latin1'),
  )?.[1]
  if (declared === undefined) return 'utf-8'
  const label = labels[declared.toLowerCase()]
  if (label !== undefined) return label
  throw new DataError(`${inputName} is in ${shownText(declared)}, which is not read`, { hint: 'Save it as UTF-8.' })
}
