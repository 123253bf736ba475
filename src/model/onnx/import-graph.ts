// From somebody's ONNX file to a bundle.
import { basename } from 'node:path'
import { alercePreprocessing, type Preprocessing } from '../../pipeline/preprocess.ts'
import { ModelError, UsageError } from '../../errors.ts'
import { identityOf, type ImportedModel, type ImportProgress } from '../bundle/identity.ts'
import { type OnnxDocument, readDocument } from './document.ts'
import type { ProfileMaker } from '../bundle/input-profile.ts'
import { makeOnnxGolden, splitsOf } from './golden.ts'
import { findOnnxLevels, type OnnxTaxonomy } from './levels.ts'
import { readMetadata } from './metadata.ts'
import { rewriteGraph } from './rewrite-graph.ts'
import type { OpenOnnxRunner } from './runner.ts'
import { readOriginFile } from '../bundle/origin-file.ts'
import { taxonomyOf } from '../bundle/manifest.ts'
import { checkBundlePlace, writeBundle } from '../bundle/write-bundle.ts'

/** What to import, and where to. */
export interface OnnxImportOptions {
  /** the ONNX file */
  readonly source: string
  readonly name: string
  readonly version: string
  /** the bundle's folder; must not exist, `overwrite` apart */
  readonly out: string
  /** names of the features in the order of the columns; may be missing for a graph that lcclf exported */
  readonly features?: readonly string[]
  readonly taxonomy?: OnnxTaxonomy
  /** a folder with golden_input.csv and golden.json: the trainer's own answers */
  readonly goldenDir?: string
  /** what happens to a feature before the graph sees it; the survey's rules by default */
  readonly preprocessing?: Preprocessing
  readonly overwrite?: boolean
  /** see ImportOptions */
  readonly makeProfile?: ProfileMaker
  readonly onProgress?: (event: ImportProgress) => void
}

/**
 * Imports an ONNX classifier: float32 [rows, features] in, probabilities out, with or without skl2onnx's ZipMap. What its
 * outputs and columns mean: see `findOnnxLevels`.
 *
 * @param openRunner the classifier's `openOnnxRunner`
 * @throws ModelError for a file that is no ONNX classifier, and where the golden answers are not reproduced within 1e-6;
 *   UsageError for an `out` that exists, an impossible taxonomy, or names that are needed; ServiceError where the bundle
 *   cannot be written, or there is no onnxruntime for this machine
 */
export async function importOnnx(options: OnnxImportOptions, openRunner: OpenOnnxRunner): Promise<ImportedModel> {
  const { source, name, version, out, overwrite = false, onProgress = () => undefined } = options
  const identity = { ...identityOf(name, version), kind: 'onnx' as const }
  await checkBundlePlace(out, overwrite)
  const label = basename(source)
  const { bytes, digest } = await readOriginFile(source, (done, total) => {
    onProgress({ step: `read ${label}`, done, total })
  })
  const document = readDocument(bytes, label)
  const known = readMetadata(document, label)
  const found = findOnnxLevels(document, options.taxonomy, label)
  const content = {
    ...identity,
    taxonomy: found.taxonomy,
    levels: found.levels.map(({ name: level, branch, classes }) => ({
      name: level,
      branch,
      classes,
      trees: 0,
      nodes: 0,
    })),
    features: chooseFeatures(document, options.features ?? known.features, label),
    preprocessing: options.preprocessing ?? known.preprocessing ?? alercePreprocessing,
    trainedBy: { library: `ONNX by ${document.producer.name || 'unknown'}`, version: document.producer.version },
  }
  const graph = rewriteGraph(document, { manifest: content, levels: found.levels }, label)
  onProgress({ step: 'golden answers', done: 0, total: 1 })
  const runner = await openRunner(graph, { threads: 1, label })
  try {
    const { features, preprocessing } = content
    const model = { features, preprocessing, taxonomy: taxonomyOf(content), splits: splitsOf(document), label }
    const { golden, source: goldenSource, warnings } = await makeOnnxGolden(runner, model, options.goldenDir)
    const manifest = { ...content, golden: { rows: golden.rowCount, source: goldenSource }, origin: [digest] }
    const profiled = { manifest, forests: [], golden, isGoldenGiven: options.goldenDir !== undefined }
    const profile = await options.makeProfile?.(profiled)
    onProgress({ step: 'write the bundle', done: 0, total: 1 })
    const written = await writeBundle(out, { manifest, forests: [], graph, golden, profile }, overwrite)
    onProgress({ step: 'write the bundle', done: 1, total: 1 })
    return { directory: out, ...written, warnings: [...found.warnings, ...warnings] }
  } finally {
    await runner.close()
  }
}

function chooseFeatures(
  { inputs }: OnnxDocument,
  names: readonly string[] | null | undefined,
  label: string,
): readonly string[] {
  const columns = inputs.length === 1 ? inputs[0]!.shape?.[1] : undefined
  if (!names) {
    const count = typeof columns === 'number' ? `its ${columns} features are` : 'its features are'
    throw new UsageError(`${label}: does not say what ${count} called`, {
      hint: 'Give the names in the order of training with --features FILE (a JSON list).',
    })
  }
  if (new Set(names).size !== names.length) throw new ModelError('the list of features: a name is there twice')
  if (typeof columns === 'number' && columns !== names.length) {
    throw new ModelError(`${label}: takes ${columns} features, the list has ${names.length} names`, {
      hint: 'Give the names in the order of training with --features FILE (a JSON list).',
    })
  }
  return names
}
