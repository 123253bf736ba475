// The features a model asks for, in their order: the one thing the forests themselves rarely say.
import { basename } from 'node:path'
import { ModelError } from '../../errors.ts'
import type { FileDigest } from '../bundle/manifest.ts'
import { readNames } from './pickle/names.ts'
import type { PickledForest } from './pickled-forest.ts'
import { readPickleFile } from './read-pickle-file.ts'

/** What is needed of a level to choose its features. */
interface Featured extends Pick<PickledForest, 'featureCount' | 'featureNames'> {
  readonly file: { readonly path: string }
}

/** The list, what messages call it, and the file it came from. */
interface FoundFeatures {
  readonly what: string
  readonly features: readonly string[]
  readonly origin: readonly FileDigest[]
}

const featuresHint = 'Give the names in the order of training with --features FILE (a JSON list).'

/**
 * Chooses the feature list: the one given, else features_RF_model.pkl, else the names the forest was trained with.
 *
 * @throws ModelError where there is none, or where it does not fit the forests
 */
export async function chooseFeatures(
  levels: readonly Featured[],
  featuresPath: string | null,
  given: readonly string[] | undefined,
): Promise<Omit<FoundFeatures, 'what'> & { warnings: readonly string[] }> {
  const { what, features, origin } = await findFeatures(levels, featuresPath, given)
  if (new Set(features).size !== features.length) throw new ModelError(`${what} names a feature twice`)
  for (const { file, featureCount } of levels) {
    if (featureCount === features.length) continue
    const problem = `the forest has ${featureCount} features, ${what} has ${features.length} names`
    throw new ModelError(`${basename(file.path)}: ${problem}`, { hint: featuresHint })
  }
  const warnings = levels.flatMap((level) => disagreement(level, features, what))
  // what the user gives wins; a list that only lies beside the forest may be another model's
  if (warnings.length > 0 && given === undefined) throw new ModelError(warnings[0]!, { hint: featuresHint })
  return { features, origin, warnings }
}

async function findFeatures(
  levels: readonly Featured[],
  featuresPath: string | null,
  given: readonly string[] | undefined,
): Promise<FoundFeatures> {
  if (given !== undefined) return { what: 'the list given', features: given, origin: [] }
  if (featuresPath !== null) return readFeatureFile(featuresPath)
  const features = levels.map(({ featureNames }) => featureNames).find((names) => names !== null)
  if (features) return { what: 'feature_names_in_', features, origin: [] }
  throw new ModelError('unknown feature names: there is no features_RF_model.pkl, and the forest has none', {
    hint: featuresHint,
  })
}

async function readFeatureFile(path: string): Promise<FoundFeatures> {
  const what = basename(path)
  try {
    const { value, digest } = await readPickleFile(path)
    return { what, features: readNames(value, what), origin: [digest] }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    // whatever form the list is in, there is a way without it
    throw new ModelError(error.message, {
      cause: error,
      hint: error.hint === undefined ? featuresHint : `${error.hint} ${featuresHint}`,
    })
  }
}

function disagreement({ file, featureNames }: Featured, features: readonly string[], what: string): string[] {
  const place = featureNames?.findIndex((name, index) => name !== features[index]) ?? -1
  if (place === -1) return []
  const known = JSON.stringify(featureNames![place])
  return [
    `${basename(file.path)}: feature ${place} was ${known} in training, in ${what} it is ${JSON.stringify(features[place])}`,
  ]
}
