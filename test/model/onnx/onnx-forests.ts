// Small forests made by hand, as bundles, and their graphs run by the real onnxruntime.
import { openOnnxRunner } from '../../../src/model/onnx/runner.ts'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import type { Forest } from '../../../src/model/bundle/forest.ts'
import { graphOfForests } from '../../../src/model/onnx/forest-graph.ts'
import { plainParts } from '../../../src/model/bundle/parts.ts'
import type { Bundle } from '../../../src/model/bundle/read-bundle.ts'

type Model = Pick<Bundle, 'manifest' | 'parts' | 'forests'>

/** A tree of one split: `left` and `right` are the fractions of its leaves. */
export interface Stump {
  readonly feature: number
  readonly threshold: number
  readonly left: readonly number[]
  readonly right: readonly number[]
}

/** A forest of such trees. */
export function forestOf(classes: readonly string[], stumps: readonly Stump[]): Forest {
  return {
    classes,
    roots: Uint32Array.from(stumps, (_, tree) => tree * 3),
    feature: Int16Array.from(stumps.flatMap(({ feature }) => [feature, -1, -1])),
    threshold: Float64Array.from(stumps.flatMap(({ threshold }) => [threshold, 0, 0])),
    left: Uint32Array.from(stumps.flatMap((_, tree) => [tree * 3 + 1, 0, 0])),
    leaf: Uint32Array.from(stumps.flatMap((_, tree) => [0, tree * 2, tree * 2 + 1])),
    leaves: Float64Array.from(stumps.flatMap(({ left, right }) => [...left, ...right])),
  }
}

/** A model of one level. */
export function flatModel(forest: Forest, featureCount: number): Model {
  const { classes, roots, feature } = forest
  const levels = [{ name: 'flat', branch: null, classes, trees: roots.length, nodes: feature.length }]
  return {
    forests: [forest],
    parts: plainParts(levels),
    manifest: {
      formatVersion: 1,
      kind: 'forest',
      name: 'by_hand',
      version: '1',
      classifierName: 'lc_classifier',
      taxonomy: null,
      levels,
      features: Array.from({ length: featureCount }, (_, index) => `feature_${index}`),
      preprocessing: alercePreprocessing,
      trainedBy: { library: 'nobody', version: null },
      golden: { rows: 0, source: 'none' },
      origin: [],
      files: [],
    },
  }
}

/** Runs a model's graph. */
export async function runGraph(model: Model, matrix: Float32Array<ArrayBuffer>, rowCount: number) {
  const runner = await openOnnxRunner(graphOfForests(model), { threads: 1, label: 'by hand' })
  try {
    return await runner.run(matrix.slice(), rowCount)
  } finally {
    await runner.close()
  }
}
