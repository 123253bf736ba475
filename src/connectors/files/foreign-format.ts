// What a file really is, by its first bytes, where its name says something else.
import { DataError } from '../../errors.ts'

const signatures: readonly (readonly [string, string])[] = [
  ['PAR1', 'a Parquet file'],
  ['ARROW1', 'an Arrow file'],
  ['Obj\u0001', 'an Avro file'],
  ['\u001f\u008b', 'compressed with gzip'],
  ['(\u00b5/\u00fd', 'compressed with zstd'],
  ['PK\u0003\u0004', 'a zip archive'],
  ['BZh', 'compressed with bzip2'],
  ['\u00fd7zXZ', 'compressed with xz'],
  ['\u0089HDF', 'an HDF5 file'],
  ['SIMPLE  =', 'a FITS file'],
  ['\u00ff\u00fe', 'text in UTF-16, not UTF-8'],
  ['\u00fe\u00ff', 'text in UTF-16, not UTF-8'],
]

/** Enough bytes to know any of them. */
export const signatureLength = 12

/**
 * @param head the first bytes
 * @param format what was expected, for the message
 * @throws DataError where the bytes are plainly something else
 */
export function refuseForeignFormat(head: Buffer, format: string, name: string): void {
  const text = head.toString('latin1')
  const found = signatures.find(([signature]) => text.startsWith(signature))
  if (!found) return
  throw new DataError(`${name} is ${found[1]}, not ${format}`, {
    hint: 'The format goes by the name; --from-format says it where the name does not.',
  })
}
