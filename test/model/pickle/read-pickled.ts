// The way of a pickle's bytes to a forest, as the import goes it.
import { convertForest } from '../../../src/model/convert-forest.ts'
import type { Forest } from '../../../src/model/forest.ts'
import { readPickledForest } from '../../../src/model/pickled-forest.ts'
import { unpickle } from '../../../src/model/pickle/unpickle.ts'

/** Reads and converts a forest. */
export function readForest(bytes: Buffer): Forest {
  return convertForest(readPickledForest(unpickle(bytes, 'x.pkl'), { label: 'x.pkl', fileSize: bytes.length }))
}
