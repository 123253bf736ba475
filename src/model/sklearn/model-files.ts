// The files of a model: which is which part, what a pickle holds, and the list of features.
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ModelError, systemCode, whyUnreadable } from '../../errors.ts'
import { alerceTaxonomy, type BranchTaxonomy, checkTaxonomy, type FileDigest, isSameSet } from '../bundle/manifest.ts'
import { openModelFile } from '../container/model-file.ts'
import { readNames } from './pickle/names.ts'
import { unpickle } from './pickle/unpickle.ts'
import { PyDict } from './pickle/values.ts'
import type { ReadLevel } from './survey-form.ts'

/** One forest of a model and the file its name promises it in. */
export interface LevelFile {
  /** `top`, a branch in lower case, or `flat` */
  readonly name: string
  /** null for the top and for a model of one level */
  readonly branch: string | null
  readonly path: string
}

/** The files of one model: the top first, then the branches in output order, and features_RF_model.pkl where there is one. */
export interface ModelFiles {
  /** null for one file */
  readonly taxonomy: BranchTaxonomy | null
  /** the branches have the classes that their forests know, whatever the taxonomy says */
  readonly areOwn: boolean
  readonly levels: readonly LevelFile[]
  readonly features: string | null
}

const whatIsNeeded = 'Give the folder with the pickles of the model, or one pickle.'

const featuresFile = 'features_RF_model.pkl'
/** of the forests of ELAsTiCC, where it has a list for each of them */
const featuresFiles = [featuresFile, 'features_HRF_model.pkl']

/**
 * Finds the files of a model. 1.0.0 has `hierarchical_level_RF_model.pkl` for the top and `<branch>_level_RF_model.pkl`,
 * 1.1.x `top_level_BRF_model.pkl` and `<branch>_level_BRF_model.pkl`, ELAsTiCC's `HRF`; a folder with one file only, or a
 * single file, is a model of one level, or one that says itself what it is made of.
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
  const listed = featuresFiles.find((name) => siblings.includes(name))
  const features = listed === undefined ? null : join(folder, listed)
  if (names === null) return flatModel(source, features)
  const levels = [
    { name: 'top', branch: null, path: levelFile(source, names, ['top', 'hierarchical']) },
    ...Object.keys(taxonomy).map((branch) => {
      const name = branch.toLowerCase()
      return { name, branch, path: levelFile(source, names, [name]) }
    }),
  ]
  const missing = levels.filter(({ path }) => path === null).map(({ name }) => name)
  const others = names.filter((name) => modelFile.test(name) && !featuresFiles.includes(name))
  // with a taxonomy asked for, one forest alone is an incomplete hierarchy
  if (asked === undefined && others.length === 1) return flatModel(join(source, others[0]!), features)
  if (names.includes('manifest.json')) {
    throw new ModelError(`${source}: is a bundle already`, { hint: `Use it as it is: --model ${source}.` })
  }
  if (others.length === 0) throw new ModelError(`${source}: holds no pickles`, { hint: whatIsNeeded })
  if (missing.length > 0) throw incomplete(source, missing, others)
  const areOwn = asked === undefined && features !== null && basename(features) !== featuresFile
  return { taxonomy, areOwn, levels: levels.map((level) => ({ ...level, path: level.path! })), features }
}

/** What people call pickles and files of joblib, compressed or not. */
const modelFile = /\.(pkl|pickle|sav|obj|joblib)(\.(gz|bz2|xz|lz4|z))?$/i

function flatModel(path: string, features: string | null): ModelFiles {
  return { taxonomy: null, areOwn: false, levels: [{ name: 'flat', branch: null, path }], features }
}

function levelFile(source: string, names: readonly string[], prefixes: readonly string[]): string | null {
  const candidates = prefixes.flatMap((prefix) =>
    ['RF', 'BRF', 'HRF'].map((kind) => `${prefix}_level_${kind}_model.pkl`),
  )
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

/** One level as its file says it. */
type Featured = Pick<ReadLevel, 'name' | 'estimator' | 'features'> & { readonly label: string }

const featuresHint = 'Give the names in the order of training with --features FILE (a JSON list).'

/**
 * Chooses each level's list of features: the one given, else that of the model's own form, else that of
 * features_RF_model.pkl (or of features_HRF_model.pkl, which has one for each), else the names the forest was trained with.
 *
 * @returns a list for each level, most often the same
 * @throws ModelError where there is none, or where one does not fit its forest
 */
export async function chooseFeatures(
  levels: readonly Featured[],
  featuresPath: string | null,
  given: readonly string[] | undefined,
) {
  const { what, namesOf, origin } = await findFeatures(levels, featuresPath, given)
  const lists = levels.map(namesOf)
  levels.forEach(({ label, estimator }, index) => {
    const features = lists[index]!
    if (new Set(features).size !== features.length) throw new ModelError(`${what} names a feature twice`)
    if (estimator.featureCount === features.length) return
    const problem = `the forest has ${estimator.featureCount} features, ${what} has ${features.length} names`
    throw new ModelError(`${label}: ${problem}`, { hint: featuresHint })
  })
  const warnings = levels.flatMap((level, index) => disagreement(level, lists[index]!, what))
  // what the user gives wins; a list that only lies beside the forest may be another model's
  if (warnings.length > 0 && given === undefined) throw new ModelError(warnings[0]!, { hint: featuresHint })
  return { lists, origin, warnings }
}

/** The lists, what messages call them, and the file they came from. */
async function findFeatures(
  levels: readonly Featured[],
  featuresPath: string | null,
  given: readonly string[] | undefined,
): Promise<{ what: string; namesOf: (level: Featured) => readonly string[]; origin: FileDigest[] }> {
  if (given !== undefined) return { what: 'the list given', namesOf: () => given, origin: [] }
  if (levels.every(({ features }) => features !== null)) {
    return { what: 'feature_list', namesOf: ({ features }) => features!, origin: [] }
  }
  if (featuresPath !== null) return readFeatureFile(featuresPath)
  const own = levels.map(({ estimator }) => estimator.featureNames).find((names) => names !== null)
  if (own) return { what: 'feature_names_in_', namesOf: () => own, origin: [] }
  throw new ModelError(
    `unknown feature names: ${levels[0]!.label} has none${levels.length > 1 ? ', and there is no features_RF_model.pkl' : ''}`,
    {
      hint: featuresHint,
    },
  )
}

async function readFeatureFile(path: string) {
  const what = basename(path)
  const file = await openModelFile(path)
  try {
    const value = unpickle(file.content, what)
    const list = value instanceof PyDict ? null : readNames(value, what)
    const namesOf = ({ name }: Featured) =>
      list ?? readNames(value instanceof PyDict ? value.get(name) : value, `${what}: ${name}`)
    return { what, namesOf, origin: [await file.digest()] }
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    // whatever form the list is in, there is a way without it
    const hint = error.hint === undefined ? featuresHint : `${error.hint} ${featuresHint}`
    throw new ModelError(error.message, { cause: error, hint })
  } finally {
    await file.close()
  }
}

function disagreement({ label, estimator }: Featured, features: readonly string[], what: string): string[] {
  const { featureNames } = estimator
  const place = featureNames?.findIndex((name, index) => name !== features[index]) ?? -1
  if (place === -1) return []
  const known = JSON.stringify(featureNames![place])
  return [`${label}: feature ${place} was ${known} in training, in ${what} it is ${JSON.stringify(features[place])}`]
}
