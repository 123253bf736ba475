// The files of a model: which is which part, what a pickle holds, and the list of features.
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ModelError, systemCode, whyUnreadable } from '../../errors.ts'
import { alerceTaxonomy, type BranchTaxonomy, checkTaxonomy, type FileDigest, isSameSet } from '../bundle/manifest.ts'
import { readDigested } from '../bundle/read-bundle.ts'
import { readNames } from './pickle/names.ts'
import { unpickle } from './pickle/unpickle.ts'
import type { PyValue } from './pickle/values.ts'
import type { PickledForest } from './pickled-forest.ts'

/** One forest of a model and the file its name promises it in. */
export interface LevelFile {
  /** `top`, a branch in lower case, or `flat` */
  readonly name: string
  /** null for the top and for a model of one level */
  readonly branch: string | null
  readonly path: string
}

/** The files of one model: the top first, then the branches in output order, and features_RF_model.pkl where there is one. */
interface ModelFiles {
  /** null for a model of one level */
  readonly taxonomy: BranchTaxonomy | null
  readonly levels: readonly LevelFile[]
  readonly features: string | null
}

const whatIsNeeded = 'Give the folder with the pickles of the model, or one pickle.'

const featuresFile = 'features_RF_model.pkl'

/**
 * Finds the files of a model. 1.0.0 has `hierarchical_level_RF_model.pkl` for the top and `<branch>_level_RF_model.pkl`,
 * 1.1.x `top_level_BRF_model.pkl` and `<branch>_level_BRF_model.pkl`; a folder with one forest only, or a single file,
 * is a model of one level.
 *
 * @param source a folder, or one pickle
 * @param asked a taxonomy in place of the survey's own
 */
export async function findModelFiles(source: string, asked: BranchTaxonomy | undefined): Promise<ModelFiles> {
  const taxonomy = asked ?? alerceTaxonomy
  checkTaxonomy(taxonomy)
  const names = await namesIn(source)
  const folder = names === null ? dirname(source) : source
  const siblings = names ?? (await namesIn(folder)) ?? []
  const features = siblings.includes(featuresFile) ? join(folder, featuresFile) : null
  if (names === null) return flatModel(source, features)
  const levels = [
    { name: 'top', branch: null, path: levelFile(source, names, ['top', 'hierarchical']) },
    ...Object.keys(taxonomy).map((branch) => {
      const name = branch.toLowerCase()
      return { name, branch, path: levelFile(source, names, [name]) }
    }),
  ]
  const missing = levels.filter(({ path }) => path === null).map(({ name }) => name)
  const others = names.filter((name) => name.endsWith('.pkl') && name !== featuresFile)
  // with a taxonomy asked for, one forest alone is an incomplete hierarchy
  if (asked === undefined && others.length === 1) return flatModel(join(source, others[0]!), features)
  if (names.includes('manifest.json')) {
    throw new ModelError(`${source}: is a bundle already`, { hint: `Use it as it is: --model ${source}.` })
  }
  if (others.length === 0) throw new ModelError(`${source}: holds no pickles`, { hint: whatIsNeeded })
  if (missing.length > 0) throw incomplete(source, missing, others)
  return { taxonomy, levels: levels.map((level) => ({ ...level, path: level.path! })), features }
}

function flatModel(path: string, features: string | null): ModelFiles {
  return { taxonomy: null, levels: [{ name: 'flat', branch: null, path }], features }
}

function levelFile(source: string, names: readonly string[], prefixes: readonly string[]): string | null {
  const candidates = prefixes.flatMap((prefix) => ['RF', 'BRF'].map((kind) => `${prefix}_level_${kind}_model.pkl`))
  const found = candidates.filter((name) => names.includes(name))
  if (found.length > 1) {
    throw new ModelError(`${source}: ${found.join(' and ')} are the same level of two models`, {
      hint: 'Keep the files of one model in a folder.',
    })
  }
  return found[0] === undefined ? null : join(source, found[0])
}

function incomplete(source: string, missing: readonly string[], others: readonly string[]): ModelError {
  const wanted = missing.map((name) => `${name}_level_RF_model.pkl or ${name}_level_BRF_model.pkl`)
  return new ModelError(`${source}: lacks ${wanted.join(', ')}; it holds ${others.join(', ')}`, {
    hint: 'The top may also be hierarchical_level_RF_model.pkl; a hierarchy with other branches needs --taxonomy FILE.',
  })
}

/** The names in a folder; null where the path is a file. */
async function namesIn(path: string): Promise<string[] | null> {
  try {
    if (!(await stat(path)).isDirectory()) return null
    return (await readdir(path)).sort()
  } catch (cause) {
    const isThere = systemCode(cause) !== 'ENOENT'
    const why = isThere ? `cannot be read (${whyUnreadable(cause)})` : 'there is no such file or folder'
    throw new ModelError(`${path}: ${why}`, { cause, hint: whatIsNeeded })
  }
}

// Which forest belongs to which level, judged by the classes it knows and not by the name of its file.

/** A forest that was found in a level's file. */
type LevelContent = { readonly file: LevelFile; readonly classes: readonly string[] }

/**
 * Puts the forests of a hierarchy in the order of its levels. Files that hold each other's forest (as the survey once
 * published the stochastic and the transient one) are named for what they hold.
 *
 * @param contents by level: the top first
 * @param acceptSwapped puts swapped forests where they belong and says so, instead of refusing
 * @returns for each level, the index in `contents` of its forest; and what is to be said about it
 */
export function assignLevels(
  contents: readonly LevelContent[],
  taxonomy: BranchTaxonomy,
  acceptSwapped: boolean,
): { order: number[]; warnings: string[] } {
  const expected = contents.map(({ file }) => (file.branch === null ? Object.keys(taxonomy) : taxonomy[file.branch]!))
  // which level each file really holds
  const held = contents.map(({ classes }) => expected.findIndex((wanted) => isSameSet(wanted, classes)))
  held.forEach((level, index) => {
    if (level === -1) throw foreignClasses(contents[index]!, expected[index]!)
  })
  const order = contents.map((_, level) => held.indexOf(level))
  const misplaced = contents.flatMap(({ file }, index) => {
    const level = held[index]!
    if (level === index) return []
    const branch = contents[level]!.file.branch ?? 'the top level'
    return [`${basename(file.path)} holds the forest of ${branch} (${expected[level]!.join(', ')})`]
  })
  if (misplaced.length === 0) return { order, warnings: [] }
  const story = misplaced.join('; ')
  if (order.includes(-1)) {
    const absent = contents.filter((_, level) => order[level] === -1).map(({ file }) => file.name)
    throw new ModelError(`${story}; no file holds the forest of ${absent.join(', ')}`, {
      hint: 'One forest appears twice and another is missing: download the files again.',
    })
  }
  if (acceptSwapped) return { order, warnings: [`${story}: put where they belong`] }
  throw new ModelError(story, { hint: 'The files are swapped. --accept-swapped puts the forests where they belong.' })
}

function foreignClasses({ file, classes }: LevelContent, wanted: readonly string[]): ModelError {
  const unknown = classes.filter((name) => !wanted.includes(name))
  const missing = wanted.filter((name) => !classes.includes(name))
  const lacks = missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []
  const parts = unknown.length > 0 ? [...lacks, `has ${unknown.join(', ')} instead`] : lacks
  return new ModelError(
    `${basename(file.path)}: its classes (${classes.join(', ')}) are those of no level of the taxonomy; as ${file.branch ?? 'the top'} it ${parts.join(' and ')}`,
    { hint: 'A hierarchy with other branches or classes needs --taxonomy FILE.' },
  )
}

// The features a model asks for, in their order: the one thing the forests themselves rarely say.

type Featured = Pick<PickledForest, 'featureCount' | 'featureNames'> & { file: { readonly path: string } }

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
) {
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

/** The list, what messages call it, and the file it came from. */
async function findFeatures(
  levels: readonly Featured[],
  featuresPath: string | null,
  given: readonly string[] | undefined,
) {
  if (given !== undefined) return { what: 'the list given', features: given, origin: [] }
  if (featuresPath !== null) return readFeatureFile(featuresPath)
  const features = levels.map(({ featureNames }) => featureNames).find((names) => names !== null)
  if (features) return { what: 'feature_names_in_', features, origin: [] }
  throw new ModelError('unknown feature names: there is no features_RF_model.pkl, and the forest has none', {
    hint: featuresHint,
  })
}

async function readFeatureFile(path: string) {
  const what = basename(path)
  try {
    const { value, digest } = await readPickleFile(path)
    return { what, features: readNames(value, what), origin: [digest] }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    // whatever form the list is in, there is a way without it
    const hint = error.hint === undefined ? featuresHint : `${error.hint} ${featuresHint}`
    throw new ModelError(error.message, { cause: error, hint })
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

// A file on disk → what its pickle holds, with a word of help where it is not a pickle.

const unpackHint =
  'Unpack it first. A model saved with joblib: pickle.dump(joblib.load(old), open(new, "wb")) in Python.'
const otherHint = 'This is what the file looks like, whatever its name says.'

/** The first bytes of what people take for pickles. */
const otherKinds: readonly (readonly [string, readonly number[], string])[] = [
  ['is compressed with gzip', [0x1f, 0x8b], unpackHint],
  ['is compressed with zlib', [0x78, 0x01], unpackHint],
  ['is compressed with zlib', [0x78, 0x5e], unpackHint],
  ['is compressed with zlib', [0x78, 0x9c], unpackHint],
  ['is compressed with zlib', [0x78, 0xda], unpackHint],
  ['is compressed with bzip2', [0x42, 0x5a, 0x68], unpackHint],
  ['is compressed with xz', [0xfd, 0x37, 0x7a, 0x58], unpackHint],
  ['is compressed with LZMA', [0x5d, 0x00, 0x00], unpackHint],
  ['is compressed with LZ4', [0x04, 0x22, 0x4d, 0x18], unpackHint],
  ['is compressed with Zstandard', [0x28, 0xb5, 0x2f, 0xfd], unpackHint],
  ['is a zip archive (a skops, npz or PyTorch file?)', [0x50, 0x4b, 0x03, 0x04], otherHint],
  ['is an HDF5 file', [0x89, 0x48, 0x44, 0x46], otherHint],
  ['is a web page', [0x3c], 'The download failed and left its error message: download the file again.'],
  ['is a Git LFS pointer', [...Buffer.from('version https://git-lfs')], 'Fetch the file itself with git lfs pull.'],
]

/**
 * Reads one pickle file. Its value keeps the file's bytes alive.
 *
 * @throws ModelError for a file of another kind, a broken one, and one that would have to call what it must not
 */
export async function readPickleFile(
  path: string,
  onBytes: (done: number, total: number) => void = () => undefined,
): Promise<{ value: PyValue; digest: FileDigest }> {
  const { bytes, digest } = await readDigested(path, { onBytes })
  const label = basename(path)
  if (bytes.length === 0) throw new ModelError(`${label}: is empty`)
  const other = otherKinds.find(([, magic]) => magic.every((byte, index) => bytes[index] === byte))
  if (other) throw new ModelError(`${label}: ${other[0]}, where a pickle is needed`, { hint: other[2] })
  return { value: unpickle(bytes, label), digest }
}
