// From scikit-learn's pickles to a bundle, without Python and without running anything.
import { basename } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { alercePreprocessing } from '../../pipeline/preprocess.ts'
import { assignLevels, findModelFiles, type LevelFile } from './model-files.ts'
import type { BranchTaxonomy, FileDigest } from '../bundle/manifest.ts'
import { convertForest } from './convert-forest.ts'
import { chooseFeatures } from './feature-list.ts'
import type { Forest } from '../bundle/forest.ts'
import type { ProfileMaker } from '../bundle/input-profile.ts'
import { makeGolden } from './make-golden.ts'
import { readPickledForest } from './pickled-forest.ts'
import { readPickleFile } from './read-pickle-file.ts'
import { checkBundlePlace, writeBundle } from '../bundle/write-bundle.ts'
import { identityOf, type ImportedModel, type ImportProgress } from '../bundle/identity.ts'

/** What to import, and where to. */
export interface ImportOptions {
  /** the folder with the pickles, or one pickle */
  readonly source: string
  readonly name: string
  readonly version: string
  /** the bundle's folder; must not exist, `overwrite` apart */
  readonly out: string
  /** a folder with golden_input.csv and golden.json: scikit-learn's own answers */
  readonly goldenDir?: string
  /** branch → classes in output order, in place of the survey's own */
  readonly taxonomy?: Record<string, string[]>
  /** names in place of features_RF_model.pkl */
  readonly features?: string[]
  readonly acceptSwapped?: boolean
  readonly overwrite?: boolean
  /** makes the profile of the model's usual inputs; without it, or where it has none, the bundle has no profile */
  readonly makeProfile?: ProfileMaker
  readonly onProgress?: (event: ImportProgress) => void
}

/** One file of the model, converted; its pickle is gone. */
interface LoadedLevel {
  readonly file: LevelFile
  readonly forest: Forest
  readonly featureCount: number
  readonly featureNames: readonly string[] | null
  readonly sklearnVersion: string | null
  readonly digest: FileDigest
  readonly warnings: readonly string[]
}

/**
 * Imports a model. One pickle is in memory at a time.
 *
 * @throws ModelError for pickles that are refused, broken or swapped, and where the golden answers are not reproduced;
 *   UsageError for an `out` that exists or an impossible taxonomy; ServiceError where the bundle cannot be written
 */
export async function importModel(options: ImportOptions): Promise<ImportedModel> {
  const { source, name, version, out, overwrite = false, onProgress = () => undefined } = options
  const identity = identityOf(name, version)
  await checkBundlePlace(out, overwrite)
  const files = await findModelFiles(source, options.taxonomy)
  const found: LoadedLevel[] = []
  for (const file of files.levels) found.push(await loadLevel(file, onProgress))
  const { order, warnings } =
    files.taxonomy === null
      ? { order: [0], warnings: [] }
      : assignLevels(
          found.map(({ file, forest }) => ({ file, classes: forest.classes })),
          files.taxonomy,
          options.acceptSwapped ?? false,
        )
  const levels = order.map((index) => found[index]!)
  const { features, origin, warnings: nameWarnings } = await chooseFeatures(levels, files.features, options.features)
  const content = {
    ...identity,
    taxonomy: files.taxonomy === null ? null : copyTaxonomy(files.taxonomy),
    levels: levels.map(({ forest }, index) => ({
      name: files.levels[index]!.name,
      branch: files.levels[index]!.branch,
      classes: forest.classes,
      trees: forest.roots.length,
      nodes: forest.feature.length,
    })),
    features,
    preprocessing: alercePreprocessing,
    trainedBy: {
      library: 'scikit-learn',
      version: levels.map(({ sklearnVersion }) => sklearnVersion).find(Boolean) ?? null,
    },
  }
  const forests = levels.map(({ forest }) => forest)
  const sources = levels.map(({ file, digest }) => ({ path: file.path, digest }))
  const {
    golden,
    source: goldenSource,
    warnings: goldenWarnings,
  } = await makeGolden({ ...content, forests, sources }, { directory: options.goldenDir, onProgress })
  const manifest = {
    ...content,
    golden: { rows: golden.rowCount, source: goldenSource },
    origin: [...origin, ...sources.map(({ digest }) => digest)],
  }
  const profiled = { manifest, forests, golden, isGoldenGiven: options.goldenDir !== undefined }
  const profile = await options.makeProfile?.(profiled)
  onProgress({ step: 'write the bundle', done: 0, total: 1 })
  const written = await writeBundle(out, { manifest, forests, golden, profile }, overwrite)
  onProgress({ step: 'write the bundle', done: 1, total: 1 })
  const said = [...found.flatMap((level) => level.warnings), ...warnings, ...nameWarnings, ...goldenWarnings]
  return { directory: out, ...written, warnings: said }
}

async function loadLevel(file: LevelFile, onProgress: (event: ImportProgress) => void): Promise<LoadedLevel> {
  const base = basename(file.path)
  const { value, digest } = await readPickleFile(file.path, (done, total) => {
    onProgress({ step: `read ${base}`, done, total })
  })
  // a signal can be answered between the steps, which themselves run through
  await setImmediate()
  const pickled = readPickledForest(value, { label: base, fileSize: digest.size })
  const { treeCount: total, featureCount, featureNames, sklearnVersion, warnings } = pickled
  const forest = convertForest(pickled, (done) => onProgress({ step: `convert ${base}`, done, total }))
  await setImmediate()
  return { file, forest, featureCount, featureNames, sklearnVersion, digest, warnings }
}

function copyTaxonomy(taxonomy: BranchTaxonomy): BranchTaxonomy {
  return Object.fromEntries(Object.entries(taxonomy).map(([branch, classes]) => [branch, [...classes]]))
}
