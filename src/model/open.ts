// A bundle's folder → a classifier that has proved itself.
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FeatureBatch, ModelIdentity } from '../pipeline/batch.ts'
import { ModelError, UsageError } from '../errors.ts'
import {
  compareGolden,
  describeComparison,
  type Golden,
  type GoldenComparison,
  goldenMatrix,
  isWithinTolerance,
} from './bundle/golden.ts'
import type { Forest } from './bundle/forest.ts'
import { type Bundle, readBundle } from './bundle/read-bundle.ts'
import { taxonomyOf } from './bundle/manifest.ts'
import type { Classifier } from '../pipeline/classifier.ts'

/** What evaluates a model: our kernel over its forests, equal to scikit-learn in every bit, or onnxruntime. */
export type EngineName = 'forest' | 'onnx'

const defaultCache = join(tmpdir(), 'lcclf-graphs')

/** How a model is to be run. */
export interface ClassifierOptions {
  /** by default the forest for a model of forests, onnx for any other */
  readonly engine?: EngineName | undefined
  /** threads that classify; 0 for one for each core, or as many as the model is worth */
  readonly threads: number
  /** where the graphs of forests are kept for the onnx engine; by default a folder for temporary files */
  readonly cacheFolder?: string | undefined
  /** what this thread can do while others prepare the model; must not fail */
  readonly meanwhile?: (() => Promise<void>) | undefined
}

/**
 * Opens a bundle and lets it answer its golden rows: a model that does not reproduce them in every bit is never used.
 *
 * @throws ModelError for a bundle that cannot be read or whose answers differ
 */
export async function openClassifier(directory: string, options: ClassifierOptions): Promise<Classifier> {
  const bundle = await readBundle(directory)
  const engine = options.engine ?? defaultEngine(bundle)
  const classifier = await openEngine(directory, bundle, { ...options, engine })
  try {
    const comparison = await answerGolden(classifier, bundle.golden)
    if (isReproduced(comparison, engine)) return classifier
    throw new ModelError(`${directory}: the golden answers are not reproduced: ${describeComparison(comparison)}`, {
      hint: 'This model would give wrong classes and is not used. lcclf model verify tells more; import the model again.',
    })
  } catch (error) {
    await classifier.close()
    throw error
  }
}

/** Lets a classifier answer golden rows and compares. */
export async function answerGolden(classifier: Classifier, golden: Golden): Promise<GoldenComparison> {
  const { probabilities } = await classifier.classify(goldenBatch(classifier, golden))
  return compareGolden(golden, probabilities)
}

function goldenBatch(classifier: Classifier, golden: Golden): FeatureBatch {
  const { rowCount, oids } = golden
  return { rowCount, oids, candids: oids.map(() => null), matrix: goldenMatrix(golden, classifier.preprocessing) }
}

/** Name, version and checksum of a bundle. */
export function identityOf({
  manifest: { name, version },
  sha256,
}: Pick<Bundle, 'manifest' | 'sha256'>): ModelIdentity {
  return { name, version, classifierVersion: `${name}_${version}`, sha256 }
}

/** The engines that can run a bundle, the default first. */
export function enginesOf({ manifest }: Pick<Bundle, 'manifest'>): readonly EngineName[] {
  return manifest.kind === 'forest' ? ['forest', 'onnx'] : ['onnx']
}

function defaultEngine(bundle: Bundle): EngineName {
  return enginesOf(bundle)[0]!
}

/** Whether an engine gave the golden answers: the forest in every bit, onnxruntime (float32) within 1e-6. */
export function isReproduced(comparison: GoldenComparison, engine: EngineName): boolean {
  return engine === 'forest' ? comparison.differing === 0 : isWithinTolerance(comparison)
}

/**
 * Makes a classifier of a bundle, without asking it anything yet.
 *
 * @throws UsageError for an engine that cannot run this model
 */
export async function openEngine(directory: string, bundle: Bundle, options: ClassifierOptions): Promise<Classifier> {
  const { manifest, forests } = bundle
  const { threads, engine = defaultEngine(bundle) } = options
  const identity = identityOf(bundle)
  if (engine === 'onnx') {
    const { openOnnxEngine } = await import('./onnx/onnx-engine.ts')
    return openOnnxEngine(bundle, { directory, cacheFolder: options.cacheFolder ?? defaultCache, identity, threads })
  }
  if (manifest.kind !== 'forest') {
    throw new UsageError(`--engine forest cannot run ${identity.classifierVersion}: it is no forest`, {
      hint: 'Leave --engine away, or say --engine onnx.',
    })
  }
  const { features, preprocessing } = manifest
  const { openForestClassifier } = await import('./forest/forest-classifier.ts')
  const model = { forests, hierarchy: manifest, taxonomy: taxonomyOf(manifest), identity, features, preprocessing }
  return openForestClassifier(model, threads === 0 ? usefulThreads(forests) : threads, options.meanwhile)
}

/** A forest so small that one thread classifies faster than anything reads: further threads would only take memory. */
const smallForest = 100_000

function usefulThreads(forests: readonly Forest[]): number {
  const nodes = forests.reduce((sum, { feature }) => sum + feature.length, 0)
  return nodes < smallForest ? 1 : availableParallelism()
}
