// ONNX files that are damaged: read to the end or refused, never a crash, never for ever.
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import { LcclfError } from '../../../src/errors.ts'
import { readDocument } from '../../../src/model/onnx/document.ts'
import { findOnnxLevels } from '../../../src/model/onnx/levels.ts'
import { rewriteGraph } from '../../../src/model/onnx/import-graph.ts'
import { splitsOf } from '../../../src/model/onnx/golden.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/onnx/', import.meta.url))
const files = readdirSync(fixtures)
  .filter((name) => name.endsWith('.onnx'))
  .map((name) => readFileSync(fixtures + name))
const taxonomy = { Stochastic: ['CV/Nova', 'AGN'], Periodic: ['RRL', 'CEP'], Transient: ['SNIa'] }

/** All that is done to a file before onnxruntime sees it. */
function understand(bytes: Uint8Array): void {
  const document = readDocument(bytes, 'x.onnx')
  splitsOf(document)
  const { taxonomy: found, levels } = findOnnxLevels(document, taxonomy, 'x.onnx')
  const manifest = {
    classifierName: 'lc_classifier',
    taxonomy: found,
    levels: levels.map(({ name, branch, classes }) => ({ name, branch, classes, trees: 0, nodes: 0 })),
    features: ['a'],
    preprocessing: alercePreprocessing,
  }
  readDocument(rewriteGraph(document, { manifest, levels }, 'x.onnx'), 'rewritten')
}

function isUnderstoodOrRefused(bytes: Uint8Array): boolean {
  try {
    understand(bytes)
  } catch (error) {
    if (!(error instanceof LcclfError)) throw error
  }
  return true
}

describe('an ONNX file', () => {
  it('that lies anywhere in a larger buffer is read the same', () => {
    const [first] = files
    const padded = Buffer.concat([Buffer.from('padding'), first!])
    expect(readDocument(padded.subarray(7), 'x')).toEqual(readDocument(first!, 'x'))
  })

  it('with flipped, lost or added bytes is understood or refused', () => {
    const change = fc.record({
      file: fc.nat({ max: files.length - 1 }),
      places: fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 }),
      cut: fc.option(fc.nat(), { freq: 3 }),
    })
    fc.assert(
      fc.property(change, ({ file, places, cut }) => {
        const bytes = Buffer.from(files[file]!)
        // most of a file is numbers; what is said of them is at its ends
        for (const [place, value] of places) bytes[place % Math.min(bytes.length, 2 ** (4 + (place % 14)))] = value
        for (const [place, value] of places) if (place % 2) bytes[bytes.length - 1 - (place % 200)] = value
        return isUnderstoodOrRefused(cut === null ? bytes : bytes.subarray(0, cut % bytes.length))
      }),
      { numRuns: 1500 },
    )
  })

  it('of any bytes at all is understood or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => isUnderstoodOrRefused(bytes)),
      { numRuns: 2000 },
    )
  })

  it('is refused where lcclf’s own words in it are damaged', () => {
    const [first] = files
    for (const text of ['{', '[]', '{"a":1}', '7']) {
      const key = Buffer.from('lcclf.outputs')
      const entry = Buffer.concat([
        Buffer.from([10, key.length]),
        key,
        Buffer.from([18, text.length]),
        Buffer.from(text),
      ])
      const bytes = Buffer.concat([first!, Buffer.from([14 * 8 + 2, entry.length]), entry])
      expect(() => understand(bytes)).toThrow('metadata lcclf.outputs is damaged')
    }
  })
})
