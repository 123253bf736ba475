// The header of one HDU of a FITS file: cards of 80 characters in blocks of 2880 bytes (FITS Standard 4.0, section 4).
import { DataError } from '../../errors.ts'
import { shownText } from '../shown-text.ts'
import type { ByteReader } from '../chunks.ts'

export const blockLength = 2880
const cardLength = 80
/** 200,000 cards: the longest histories have some thousands */
const mostBlocks = 5600

export type FitsHeader = NonNullable<Awaited<ReturnType<typeof readFitsHeader>>>

/**
 * Reads the header that begins here.
 *
 * @param index of the HDU, the primary's is 0
 * @returns undefined where no HDU begins: at the end of the file, or at bytes that belong to none
 * @throws DataError for a header that is cut off, has no end, or begins a file and is no FITS
 */
export async function readFitsHeader(bytes: ByteReader, index: number, inputName: string) {
  const where = `${inputName} HDU ${index}`
  const cards = new Map<string, CardValue>()
  let continued: string | undefined
  for (let block = 0; ; block++) {
    const text = (await bytes.read(blockLength)).toString('latin1')
    if (block === 0) {
      const begins = index === 0 ? /^SIMPLE {2}=/ : /^XTENSION=/
      if (!begins.test(text)) {
        if (index > 0) return undefined
        throw new DataError(`${inputName} is no FITS file: it does not begin with SIMPLE`)
      }
    }
    if (text.length < blockLength) throw new DataError(`${where}: the file is cut off in its header`)
    if (block >= mostBlocks) throw new DataError(`${where}: its header has no END in ${mostBlocks * blockLength} bytes`)
    for (let at = 0; at < blockLength; at += cardLength) {
      const card = text.slice(at, at + cardLength)
      const keyword = card.slice(0, 8).trimEnd()
      if (keyword === 'END' && card.trimEnd() === 'END') return headerOf(cards, index, where)
      const value = keyword === 'CONTINUE' ? valueOf(card.slice(8)) : undefined
      if (value && continued !== undefined) {
        const before = cards.get(continued)!
        cards.set(continued, { text: before.text.slice(0, -1) + value.text, isString: true })
        if (!value.text.endsWith('&')) continued = undefined
        continue
      }
      continued = undefined
      if (card.slice(8, 10) !== '= ') continue
      // of a keyword that is there twice the first counts, as for astropy
      if (cards.has(keyword)) continue
      const own = valueOf(card.slice(10))
      cards.set(keyword, own)
      if (own.isString && own.text.endsWith('&')) continued = keyword
    }
  }
}

interface CardValue {
  /** of a string without its quotes and the blanks at its end; of anything else as it stands */
  readonly text: string
  readonly isString: boolean
}

function valueOf(field: string): CardValue {
  const quoted = /^ *'((?:[^']|'')*)'/.exec(field)
  if (quoted) return { text: quoted[1]!.replaceAll("''", "'").trimEnd(), isString: true }
  return { text: field.split('/', 1)[0]!.trim(), isString: false }
}

function headerOf(cards: ReadonlyMap<string, CardValue>, index: number, where: string) {
  const wrong = (keyword: string, text: string, role: string): DataError =>
    new DataError(`${where}: ${keyword} is ${shownText(text)}, which is no ${role}`)

  return {
    index,
    /** names the HDU in messages */
    where,
    text: (keyword: string): string | undefined => cards.get(keyword)?.text,
    isTrue: (keyword: string): boolean => cards.get(keyword)?.text === 'T',
    /**
     * @param usual where the keyword is absent; without it the keyword is required
     * @throws DataError for what is absent, no integer, or smaller than `least`
     */
    integer(keyword: string, least: number, usual?: number): number {
      const text = cards.get(keyword)?.text
      if (text === undefined) {
        if (usual !== undefined) return usual
        throw new DataError(`${where}: its header lacks ${keyword}`)
      }
      const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN
      if (!Number.isSafeInteger(value)) throw wrong(keyword, text, 'integer')
      if (value < least) throw new DataError(`${where}: ${keyword} is ${value}, less than ${least}`)
      return value
    },
    /** an integer as it stands, of any size; undefined where the keyword is absent */
    bigint(keyword: string): bigint | undefined {
      const text = cards.get(keyword)?.text
      if (text === undefined) return undefined
      if (!/^[+-]?\d{1,30}$/.test(text)) throw wrong(keyword, text, 'integer')
      return BigInt(text.replace(/^\+/, ''))
    },
    /** @throws DataError for what is no number */
    number(keyword: string, usual: number): number {
      const text = cards.get(keyword)?.text
      if (text === undefined) return usual
      const value = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[ED][+-]?\d+)?$/.test(text) ? Number(text.replace('D', 'E')) : NaN
      if (!Number.isFinite(value)) throw wrong(keyword, text, 'number')
      return value
    },
  }
}

/**
 * How many bytes of data follow a header, without what fills their last block.
 *
 * @throws DataError for sizes that are absent, negative, or larger than any file
 */
export function dataLength(header: FitsHeader): number {
  const bits = Math.abs(header.integer('BITPIX', -64))
  const axes = header.integer('NAXIS', 0)
  if (axes > 999) throw new DataError(`${header.where}: NAXIS is ${axes}, more than 999`)
  if (axes === 0) return 0
  const lengths = Array.from({ length: axes }, (_, axis) => header.integer(`NAXIS${axis + 1}`, 0))
  // random groups have a first axis of no length that does not count
  const counted = header.isTrue('GROUPS') && lengths[0] === 0 ? lengths.slice(1) : lengths
  const values = counted.reduce((product, length) => product * length, 1)
  const length = (bits / 8) * header.integer('GCOUNT', 0, 1) * (header.integer('PCOUNT', 0, 0) + values)
  if (!Number.isSafeInteger(length)) throw new DataError(`${header.where}: its header claims ${length} bytes of data`)
  return length
}
