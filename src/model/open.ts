// A bundle's folder → a classifier that has proved itself.
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelIdentity } from '../pipeline/batch.ts'
import type { Classifier } from '../pipeline/classifier.ts'
import { ModelError, UsageError } from '../errors.ts'
import {
  compareGolden,
  describeComparison,
  type Golden,
  type GoldenComparison,
  goldenMatrix,
  isWithinTolerance,
} from './bundle/golden.ts'
import { type Manifest, taxonomyOf } from './bundle/manifest.ts'
import { marginsOf, whyNotOnnx } from './bundle/parts.ts'
import { type Bundle, readBundle, readManifest, withCovers } from './bundle/read-bundle.ts'
import { readBundleCalibration } from './calibration/bundle-calibration.ts'
import { batchCalibrator } from './calibration/calibrate-batch.ts'
import type { ForestThreads } from './forest/forest-classifier.ts'

/** What evaluates a model: our kernel over its forests, equal to scikit-learn in every bit, or onnxruntime. */
export type EngineName = 'forest' | 'onnx'

/** The engines that can run each kind of model, the default first; onnx only where an ONNX file can carry the forests. */
const engines: Readonly<Record<Manifest['kind'], readonly [EngineName, ...EngineName[]]>> = {
  forest: ['forest', 'onnx'],
  onnx: ['onnx'],
}

/** How a model is run. */
export interface ClassifierOptions {
  /** the kind's default unless given */
  readonly engine?: EngineName | undefined
  /** threads that classify; 0 for one for each core, or as many as the model is worth */
  readonly threads: number
  /** whether batches shall have a novelty */
  readonly novelty?: boolean | undefined
  /** where the graphs of forests are kept for the onnx engine; by default a folder for temporary files */
  readonly cacheFolder?: string | undefined
  /** answers wait for the proof, and not the opening: this thread can open inputs while others prepare the model */
  readonly provesLater?: boolean
}

/**
 * Opens a bundle and lets it answer its golden rows: a model that does not reproduce them in every bit is never used.
 *
 * @throws ModelError for a bundle that cannot be read or whose answers differ; with `provesLater`, differing answers make
 *   every `classify` throw it
 */
export async function openClassifier(directory: string, options: ClassifierOptions): Promise<Classifier> {
  const head = await readManifest(directory)
  const threads = await startThreads(head.manifest, options)
  let open: Pick<Classifier, 'close'> | undefined = threads
  try {
    const bundle = await readBundle(directory, head)
    const classifier = await openOn(threads, directory, bundle, options)
    open = classifier
    const proof = prove(directory, classifier, bundle, options.engine)
    // who asks for an answer learns of a failure
    proof.catch(() => undefined)
    const calibration = await readBundleCalibration(directory)
    if (options.provesLater !== true) await proof
    const proved = answersAfter(proof, classifier)
    return calibration ? { ...proved, calibrate: batchCalibrator(head.manifest, calibration) } : proved
  } catch (error) {
    await open?.close()
    throw error
  }
}

function answersAfter(proof: Promise<void>, classifier: Classifier): Classifier {
  return {
    ...classifier,
    async classify(batch) {
      const [classified] = await Promise.all([classifier.classify(batch), proof])
      return classified
    },
  }
}

async function prove(directory: string, classifier: Classifier, bundle: Bundle, engine?: EngineName): Promise<void> {
  const { ok, detail } = await judgeGolden(classifier, bundle, engine)
  if (ok) return
  throw new ModelError(`${directory}: the golden answers are not reproduced: ${detail}`, {
    hint: 'This model would give wrong classes and is not used. Run lcclf model verify for details, or import it again.',
  })
}

/** Lets a classifier answer golden rows and compares. */
export async function answerGolden(classifier: Classifier, golden: Golden): Promise<GoldenComparison> {
  const { rowCount, oids } = golden
  const matrix = goldenMatrix(golden, classifier.preprocessing)
  const { probabilities } = await classifier.classify({ rowCount, oids, candids: oids.map(() => null), matrix })
  return compareGolden(golden, probabilities)
}

/** Whether an engine gives the golden answers: the forest in every bit, onnxruntime (float32) within 1e-6. */
async function judgeGolden(classifier: Classifier, bundle: Bundle, engine = enginesOf(bundle)[0]) {
  const comparison = await answerGolden(classifier, bundle.golden)
  const ok = engine === 'forest' ? comparison.differing === 0 : isWithinTolerance(comparison)
  return { ok, detail: describeComparison(comparison) }
}

/** Opens an engine, by default the one that would be used, only to see whether it gives the bundle's golden answers. */
export async function checkGolden(directory: string, bundle: Bundle, cacheFolder: string, engine?: EngineName) {
  const classifier = await openEngine(directory, bundle, { engine, threads: 1, cacheFolder })
  try {
    return await judgeGolden(classifier, bundle, engine)
  } finally {
    await classifier.close()
  }
}

/** Name, version and checksum of a bundle. */
export function identityOf({ manifest, sha256 }: Pick<Bundle, 'manifest' | 'sha256'>): ModelIdentity {
  const { name, version } = manifest
  return { name, version, classifierVersion: `${name}_${version}`, sha256 }
}

/** The engines that can run a bundle, the default first. */
export function enginesOf({
  manifest,
  parts = [],
}: Pick<Bundle, 'manifest'> & Partial<Bundle>): readonly [EngineName, ...EngineName[]] {
  const [first, ...others] = engines[manifest.kind]
  return whyNotOnnx({ manifest, parts }) === undefined ? [first, ...others] : [first]
}

/**
 * Makes a classifier of a bundle, without asking it anything yet.
 *
 * @throws UsageError for an engine that cannot run this model, or a novelty that it does not have
 */
export function openEngine(directory: string, bundle: Bundle, options: ClassifierOptions): Promise<Classifier> {
  return openOn(undefined, directory, bundle, options)
}

/** @param started threads that boot already, for a model that the forest engine runs */
async function openOn(
  started: ForestThreads | undefined,
  directory: string,
  bundle: Bundle,
  options: ClassifierOptions,
): Promise<Classifier> {
  const { engine = enginesOf(bundle)[0], threads, cacheFolder = join(tmpdir(), 'lcclf-graphs') } = options
  const identity = identityOf(bundle)
  if (!enginesOf(bundle).includes(engine)) {
    const why = engine === 'onnx' ? whyNotOnnx(bundle) : 'it is not a forest'
    throw new UsageError(`--engine ${engine} cannot run ${identity.classifierVersion}: ${why}`, {
      hint: `Omit --engine, or use --engine ${enginesOf(bundle)[0]}.`,
    })
  }
  if (options.novelty) refuseNovelty(bundle, engine)
  switch (engine) {
    case 'onnx': {
      const { openOnnxEngine } = await import('./onnx/onnx-engine.ts')
      return openOnnxEngine(bundle, { directory, cacheFolder, identity, threads })
    }
    case 'forest': {
      const { openForestClassifier, startForestThreads } = await import('./forest/forest-classifier.ts')
      const { manifest, parts, forests } = bundle
      const { features, preprocessing } = manifest
      const { taxonomy, productClasses, levels } = manifest
      const hierarchy = { taxonomy, levels, ...(productClasses ? { productClasses } : {}) }
      const model = {
        forests,
        covered: options.novelty ? await withCovers(directory, bundle) : undefined,
        parts,
        hierarchy,
        taxonomy: taxonomyOf(manifest, marginsOf(parts)),
        identity,
        features,
        preprocessing,
      }
      const pool = started ?? startForestThreads(threads || usefulThreads(manifest))
      return openForestClassifier(model, pool).catch(async (error: unknown) => {
        await pool.close()
        throw error
      })
    }
  }
}

/** @throws UsageError for a model of which nobody knows whether its leaves tell what is new to it */
function refuseNovelty(bundle: Bundle, engine: EngineName): void {
  const hasSums = bundle.parts.some(({ sum }) => sum !== null)
  if (engine === 'forest' && !hasSums) return
  const why = hasSums
    ? 'its trees add up to margins'
    : 'the onnx engine does not tell which leaves an object falls into'
  throw new UsageError(`--novelty: ${identityOf(bundle).classifierVersion} has none: ${why}`, {
    hint: 'Forests whose leaves are averaged have it, with the forest engine. Leave --novelty out.',
  })
}

/** A forest so small that one thread classifies faster than anything reads: further threads would only take memory. */
const smallForest = 100_000

function usefulThreads({ levels }: Manifest): number {
  const nodes = levels.reduce((sum, level) => sum + level.nodes, 0)
  return nodes < smallForest ? 1 : availableParallelism()
}

/** Threads boot while the model is read. */
async function startThreads(manifest: Manifest, { engine, threads }: ClassifierOptions) {
  if ((engine ?? engines[manifest.kind][0]) !== 'forest' || manifest.kind !== 'forest') return undefined
  const { startForestThreads } = await import('./forest/forest-classifier.ts')
  return startForestThreads(threads || usefulThreads(manifest))
}
