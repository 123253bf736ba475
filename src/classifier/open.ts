// A bundle's folder → a classifier that has proved itself.
import { availableParallelism } from 'node:os'
import type { FeatureBatch } from '../batch/feature-batch.ts'
import type { ModelIdentity } from '../batch/taxonomy.ts'
import { ModelError } from '../errors.ts'
import { compareGolden, describeComparison, goldenMatrix, type Golden, type GoldenComparison } from '../model/golden.ts'
import type { Forest } from '../model/forest.ts'
import { readBundle, type Bundle } from '../model/read-bundle.ts'
import { taxonomyOf } from '../model/taxonomy-of.ts'
import type { Classifier } from './classifier.ts'
import { openForestClassifier } from './forest-classifier.ts'

/** How a model is to be run. */
export interface ClassifierOptions {
  /** threads that classify; 0 for one for each core, or as many as the model is worth */
  readonly threads: number
}

/**
 * Opens a bundle and lets it answer its golden rows: a model that does not reproduce them in every bit is never used.
 *
 * @throws ModelError for a bundle that cannot be read or whose answers differ
 */
export async function openClassifier(directory: string, options: ClassifierOptions): Promise<Classifier> {
  const bundle = await readBundle(directory)
  const classifier = await openEngine(bundle, options)
  try {
    const comparison = await answerGolden(classifier, bundle.golden)
    if (comparison.differing === 0) return classifier
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

/** Makes a classifier of a bundle, without asking it anything yet. */
export function openEngine(bundle: Bundle, { threads }: ClassifierOptions): Promise<Classifier> {
  const { manifest, forests } = bundle
  const { features, preprocessing } = manifest
  const model = { forests, hierarchy: manifest, taxonomy: taxonomyOf(manifest), identity: identityOf(bundle) }
  return openForestClassifier({ ...model, features, preprocessing }, threads === 0 ? usefulThreads(forests) : threads)
}

/** A forest so small that one thread classifies faster than anything reads: further threads would only take memory. */
const smallForest = 100_000

function usefulThreads(forests: readonly Forest[]): number {
  const nodes = forests.reduce((sum, { feature }) => sum + feature.length, 0)
  return nodes < smallForest ? 1 : availableParallelism()
}
