// The kernel on this thread, for any model of trees.
import type { Forest, Hierarchy } from '../../../src/model/bundle/forest.ts'
import { type Part, plainParts } from '../../../src/model/bundle/parts.ts'
import { createForestEngine } from '../../../src/model/forest/forest-engine.ts'
import { layOutRows } from '../../../src/model/forest/kernel-rows.ts'
import { fillLevels, reserveModel } from '../../../src/model/forest/kernel/pack-forests.ts'
import { fillRanks } from '../../../src/model/forest/kernel/rank-nodes.ts'
import { alercePreprocessing, type Preprocessing } from '../../../src/pipeline/preprocess.ts'

/** A model as it is needed for an answer; by default one forest a level, and nothing around it. */
export interface TestModel {
  readonly forests: readonly Forest[]
  readonly features: number
  readonly parts?: readonly Part[]
  readonly hierarchy?: Hierarchy
  readonly preprocessing?: Preprocessing
}

/** Its parts, levels, names and rules. */
export function shapeOf({ forests, features, ...given }: TestModel) {
  const flat = { taxonomy: null, levels: [{ branch: null, classes: forests[0]!.classes }] }
  const counts = forests.map(({ roots, feature }) => ({ trees: roots.length, nodes: feature.length }))
  const { parts = plainParts(counts), hierarchy = flat, preprocessing = alercePreprocessing } = given
  return { ...hierarchy, parts, features: Array.from({ length: features }, (_, i) => `f${i}`), preprocessing }
}

/** @param hasNovelty whether it is the last column of every forest's leaves */
export function engineOf(module: WebAssembly.Module, given: TestModel, hasNovelty = false) {
  const model = shapeOf(given)
  const { firstFeatures, width, isFloat64 } = layOutRows(model)
  const trees = model.parts.map(({ sum }, i) => ({
    forest: given.forests[i]!,
    sum,
    firstFeature: firstFeatures[i]!,
  }))
  const { model: packed, plan } = reserveModel(trees, { features: width, isFloat64 }, 1)
  fillLevels(plan, trees)
  fillRanks(plan, trees)
  return createForestEngine({ module, packed, model, hasNovelty }, 0)
}
