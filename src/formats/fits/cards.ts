// The cards of a FITS header, to be written: 80 characters each, in blocks of 2880 (FITS Standard 4.0, section 4).
import { blockLength } from './header.ts'

const cardLength = 80
/** where a number ends, and a T or an F stands */
const fixedEnd = 30

/** @param text in ASCII; with its quotes doubled at most 68 characters */
export function textCard(keyword: string, text: string): string {
  return `${keyword.padEnd(8)}= '${text.replaceAll("'", "''").padEnd(8)}'`
}

export function integerCard(keyword: string, value: number | bigint): string {
  return `${keyword.padEnd(8)}= ${String(value).padStart(fixedEnd - 10)}`
}

export function logicalCard(keyword: string, value: boolean): string {
  return `${keyword.padEnd(8)}= ${(value ? 'T' : 'F').padStart(fixedEnd - 10)}`
}

/** A whole header: its cards, END, and blanks to the end of the block. */
export function fitsHeader(cards: readonly string[]): Buffer {
  const text = [...cards, 'END'].map((card) => card.padEnd(cardLength)).join('')
  return Buffer.from(text + ' '.repeat(padding(text.length)), 'latin1')
}

/** How many bytes fill the last block of so many. */
export function padding(length: number): number {
  return (blockLength - (length % blockLength)) % blockLength
}
