// The way of a pickle's bytes to a forest, as the import goes it.
import { convertForest } from '../../../../src/model/sklearn/convert-forest.ts'
import type { Forest } from '../../../../src/model/bundle/forest.ts'
import { readPickledForest } from '../../../../src/model/sklearn/pickled-forest.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'

/** Reads and converts a forest. */
export function readForest(bytes: Buffer): Forest {
  return convertForest(readPickledForest(unpickle(bytes, 'x.pkl'), { label: 'x.pkl', fileSize: bytes.length }))
}
