// manifest.json of a bundle: everything about a model except its numbers, checked before anything believes it.
import { basename } from 'node:path'
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { ModelError, UsageError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'

/**
 * The kinds of model. What depends on the kind is said in two tables: `contents` of read-bundle.ts (which files it is made of)
 * and `engines` of model/open.ts (what runs it). Everything else asks for what a bundle has: forests, a graph, covers.
 */
export const kinds = ['forest', 'onnx'] as const

/** The forms of a bundle that are read: 1 is the survey's first, which older versions of lcclf read; 2 where a model needs more. */
export const formatVersions = [1, 2] as const

/** One forest of the hierarchy. */
export interface ManifestLevel {
  /** `top`, or the branch in lower case; `flat` for a model of one level */
  readonly name: string
  /** the class of the top level that leads here; null for the top and for a model of one level */
  readonly branch: string | null
  /** in the order of scikit-learn's `classes_` */
  readonly classes: readonly string[]
  readonly trees: number
  readonly nodes: number
}

/** A file that belongs to the bundle, or that it was made from. */
export interface FileDigest {
  readonly file: string
  readonly sha256: string
  readonly size: number
}

/**
 * The file that `lcclf calibrate` adds. It changes no answer of the model, and versions of lcclf that do not know it pass it
 * over: the format's version stays as it is.
 */
export const calibrationFile = 'calibration.json'

/** Branch → its leaf classes, both in output order. */
export type BranchTaxonomy = Readonly<Record<string, readonly string[]>>

/** What the manifest says. Holds no time and no path, so the same import gives the same bytes. */
export interface Manifest {
  readonly formatVersion: (typeof formatVersions)[number]
  readonly kind: (typeof kinds)[number]
  readonly name: string
  readonly version: string
  /** prefix of every classifier_name, `lc_classifier` */
  readonly classifierName: string
  /** null for a model of one level */
  readonly taxonomy: BranchTaxonomy | null
  /** the leaf classes in output order, where that is not the taxonomy's: branches interleaved */
  readonly productClasses?: readonly string[]
  /** the top first, then the branches in output order */
  readonly levels: readonly ManifestLevel[]
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly trainedBy: { readonly library: string; readonly version: string | null }
  /** where the expected answers of `golden.arrow` come from */
  readonly golden: { readonly rows: number; readonly source: string }
  readonly origin: readonly FileDigest[]
  readonly files: readonly FileDigest[]
}

/** Whether a text can be a folder of the store, and nothing above or below it. */
export function isPlainName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._+-]*$/.test(text)
}

/** classifier_name of the survey's first form, and of a model that nobody gave another. */
export const usualName = 'lc_classifier'

/** The manifest's first lines. Throws UsageError for a name or version that cannot be a folder and a column. */
export function identityOf(
  name: string,
  version: string,
  classifierName = usualName,
): Pick<Manifest, 'formatVersion' | 'kind' | 'name' | 'version' | 'classifierName'> {
  // name_version is a column of the database, and both are folders of the store
  for (const [what, value] of Object.entries({ name, version, 'classifier name': classifierName })) {
    if (!isPlainName(value)) {
      throw new UsageError(`the model's ${what} ${JSON.stringify(value)} may have letters, digits and . _ + - only`)
    }
  }
  return { formatVersion: 1, kind: 'forest', name, version, classifierName }
}

/**
 * The levels as the outputs see them: the product in output order, the top, the branches; or the only level there is.
 *
 * @param margins of a booster: `marginsOf` its parts
 */
export function taxonomyOf(
  manifest: Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy' | 'productClasses'>,
  margins?: readonly string[],
): Taxonomy {
  const { classifierName, levels, taxonomy } = manifest
  if (taxonomy === null) {
    const flat = { levels: [{ classifierName, prefix: '', branch: null, classes: levels[0]?.classes ?? [] }] }
    return margins === undefined ? flat : { ...flat, margins }
  }
  const classes = leafClasses({ levels, taxonomy, productClasses: manifest.productClasses })
  const forests = levels.map(({ name, branch, classes: own }) => ({
    classifierName: `${classifierName}_${name}`,
    prefix: name,
    branch,
    classes: own,
  }))
  return { levels: [{ classifierName, prefix: '', branch: null, classes }, ...forests] }
}

/** The classes of the product in output order: branch by branch unless the model says otherwise. */
export function leafClasses({
  levels,
  taxonomy,
  productClasses,
}: {
  readonly levels: readonly Pick<ManifestLevel, 'branch'>[]
  readonly taxonomy: BranchTaxonomy
  readonly productClasses?: readonly string[] | undefined
}): readonly string[] {
  return productClasses ?? levels.flatMap(({ branch }) => (branch === null ? [] : (taxonomy[branch] ?? [])))
}

/** The survey's own. The order of branches and classes is that of the outputs, and decides ties. */
export const alerceTaxonomy: BranchTaxonomy = {
  Stochastic: ['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO'],
  Periodic: ['CEP', 'DSCT', 'E', 'LPV', 'Periodic-Other', 'RRL'],
  Transient: ['SLSN', 'SNII', 'SNIa', 'SNIbc'],
}

/** @throws UsageError for a taxonomy that no model can have */
export function checkTaxonomy(taxonomy: BranchTaxonomy): void {
  const branches = Object.keys(taxonomy)
  const classes = Object.values(taxonomy).flat()
  const lower = branches.map((branch) => branch.toLowerCase())
  const isFile = (branch: string) => basename(branch) === branch && branch.toLowerCase() !== 'top'
  const problems: readonly (readonly [boolean, string])[] = [
    [branches.length === 0, 'has no branches'],
    [branches.some((branch) => taxonomy[branch]!.length === 0), 'has a branch without classes'],
    [new Set(classes).size !== classes.length, 'names a class twice'],
    [!branches.every(isFile), 'has a branch that cannot be a file name'],
    [new Set(lower).size !== lower.length, 'has two branches that differ in case only'],
  ]
  const found = problems.find(([isFound]) => isFound)
  if (found) {
    throw new UsageError(`the taxonomy ${found[1]}`, { hint: 'Expected {"branch": ["class", …], …} in output order.' })
  }
}

/**
 * Reads a manifest.
 *
 * @param where the file, for messages
 * @throws ModelError naming the first thing that is wrong
 */
export function parseManifest(text: string, where: string): Manifest {
  const check = checkerOf(where)
  const value = check.record(parseJson(text, where), 'the manifest')
  const formatVersion = formatVersions.find((known) => known === value['formatVersion'])
  if (formatVersion === undefined) {
    throw new ModelError(`${where}: unknown format version ${String(value['formatVersion'])}`, {
      hint: 'The bundle was made by another version of lcclf: import the model again, or update lcclf.',
    })
  }
  const kind = kinds.find((known) => known === value['kind'])
  if (!kind) throw check.error('kind')
  const trainedBy = check.record(value['trainedBy'], 'trainedBy')
  const golden = check.record(value['golden'], 'golden')
  const manifest: Manifest = {
    formatVersion,
    kind,
    name: readPlainName(check, value['name'], 'name'),
    version: readPlainName(check, value['version'], 'version'),
    classifierName: check.text(value['classifierName'], 'classifierName'),
    taxonomy: value['taxonomy'] === null ? null : readTaxonomy(check, value['taxonomy']),
    ...('productClasses' in value ? { productClasses: check.names(value['productClasses'], 'productClasses') } : {}),
    levels: check.list(value['levels'], 'levels').map((level) => readLevel(check, level)),
    features: check.names(value['features'], 'features'),
    preprocessing: readPreprocessing(check, value['preprocessing']),
    trainedBy: {
      library: check.text(trainedBy['library'], 'trainedBy.library'),
      version: trainedBy['version'] === null ? null : check.text(trainedBy['version'], 'trainedBy.version'),
    },
    golden: { rows: check.count(golden['rows'], 'golden.rows'), source: check.text(golden['source'], 'golden.source') },
    origin: check.list(value['origin'], 'origin').map((entry) => readDigest(check, entry)),
    files: check.list(value['files'], 'files').map((entry) => readContent(check, entry)),
  }
  checkHierarchy(check, manifest)
  checkMissingRule(manifest, where)
  return manifest
}

/** Reads the rules of a manifest, or of a graph; NaN and Infinity are null in JSON. */
export function readPreprocessing(check: Checker, value: unknown): Preprocessing {
  const rules = check.record(value, 'preprocessing')
  const numberOr = (name: string, otherwise: number) =>
    rules[name] === null ? otherwise : check.number(rules[name], `preprocessing.${name}`)
  const { infinite, rejectsMissing, precision } = rules
  if (infinite !== undefined && infinite !== 'kept' && infinite !== 'rejected') {
    throw check.error('preprocessing.infinite')
  }
  if (precision !== undefined && precision !== 'float64') throw check.error('preprocessing.precision')
  return {
    missing: numberOr('missing', NaN),
    hugeAbove: numberOr('hugeAbove', Infinity),
    huge: check.number(rules['huge'], 'preprocessing.huge'),
    ...(infinite === undefined ? {} : { infinite }),
    ...(rejectsMissing === undefined
      ? {}
      : { rejectsMissing: check.text(rejectsMissing, 'preprocessing.rejectsMissing') }),
    ...(precision === undefined ? {} : { precision }),
  }
}

/**
 * Bundles of the first format have −999 for missing values whatever the model. For the survey's hierarchies that is right;
 * a forest alone by a scikit-learn that knows missing values has a rule in every node, which that format does not keep.
 */
function checkMissingRule({ formatVersion, kind, taxonomy, trainedBy }: Manifest, where: string): void {
  if (formatVersion !== 1 || kind !== 'forest' || taxonomy !== null) return
  if (!knowsMissingValues(trainedBy.version)) return
  throw new ModelError(
    `${where}: made before lcclf knew how scikit-learn ${trainedBy.version} treats missing values: its answers would differ`,
    { hint: 'Import the model again with lcclf model import.' },
  )
}

/** Whether the forests of a version of scikit-learn have a rule for missing values in their nodes: from 1.4 on. */
function knowsMissingValues(version: string | null): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  return major > 1 || (major === 1 && minor >= 4)
}

/** what JSON has no number for */
const exactTexts = new Map<unknown, number>([
  ['-0', -0],
  ['NaN', NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
])

export type Checker = ReturnType<typeof checkerOf>

/** Checks what a file of a bundle says; `where` is the file, for messages. */
export function checkerOf(where: string) {
  const hint = 'The bundle is damaged: copy it again, or import the model again.'
  const check = jsonChecker((what, cause) => new ModelError(`${where}: ${what}`, { cause, hint }))
  /** Numbers in every bit, as `encodeParts` writes them. */
  const exactNumbers = (value: unknown, what: string) =>
    check.list(value, what).map((item) => exactTexts.get(item) ?? check.number(item, what))
  return { ...check, exactNumbers }
}

/** @throws ModelError where a text is not JSON */
export function parseJson(text: string, where: string): unknown {
  return jsonChecker((what, cause) => new ModelError(`${where}: ${what}`, { cause })).json(text)
}

/** It becomes a folder, wherever the bundle comes from. */
function readPlainName(check: Checker, value: unknown, what: string): string {
  const name = check.text(value, what)
  if (isPlainName(name)) return name
  throw check.error(`manifest: its ${what} ${JSON.stringify(name)} may have letters, digits and . _ + - only`)
}

function readTaxonomy(check: Checker, value: unknown): BranchTaxonomy {
  const entries = Object.entries(check.record(value, 'taxonomy'))
  return Object.fromEntries(entries.map(([branch, classes]) => [branch, check.names(classes, `taxonomy.${branch}`)]))
}

function readLevel(check: Checker, value: unknown): ManifestLevel {
  const level = check.record(value, 'level')
  return {
    name: check.text(level['name'], 'name of a level'),
    branch: level['branch'] === null ? null : check.text(level['branch'], 'branch of a level'),
    classes: check.names(level['classes'], 'classes of a level'),
    trees: check.count(level['trees'], 'trees of a level'),
    nodes: check.count(level['nodes'], 'nodes of a level'),
  }
}

/** Reads what a record says of one file. */
export function readDigest(check: ReturnType<typeof jsonChecker>, value: unknown): FileDigest {
  const digest = check.record(value, 'file')
  const file = check.text(digest['file'], 'name of a file')
  const sha256 = check.sha256(digest['sha256'], `sha256 of ${file}`)
  // a file of the bundle lies in the bundle's folder, whatever the manifest says
  if (/[/\\\0]/.test(file) || file === '.' || file === '..') {
    throw check.error(`name or sha256 of a file (${JSON.stringify(file)})`)
  }
  return { file, sha256, size: check.count(digest['size'], `size of ${file}`) }
}

/** What else lies beside the files of a bundle, in the store or while it is fetched: the last of two would win. */
const reserved = /^(manifest\.json|pulled\.json|lcclf-index\.json)$|\.part(\.|$)/i

function readContent(check: Checker, value: unknown): FileDigest {
  const digest = readDigest(check, value)
  const { file } = digest
  if (file === '' || reserved.test(file) || /\p{C}/u.test(file)) {
    throw check.error(`name of a file (${JSON.stringify(file)})`)
  }
  return digest
}

/** The levels must be those of the taxonomy, so that nothing later looks for a class that is not there. */
function checkHierarchy(check: Checker, { taxonomy, levels, productClasses }: Manifest): void {
  const [top, ...branches] = levels
  if (!top || top.branch !== null) throw check.error('top level')
  if (taxonomy === null) {
    if (branches.length > 0) throw check.error('levels of a model without taxonomy')
    if (productClasses) throw check.error('productClasses of a model without taxonomy')
    return
  }
  const names = branches.map(({ branch }) => branch ?? '')
  if (!isSameSet(names, Object.keys(taxonomy)) || !isSameSet(names, top.classes)) {
    throw check.error('branches of the taxonomy')
  }
  for (const { branch, classes } of branches) {
    if (!isSameSet(classes, taxonomy[branch!] ?? [])) throw check.error(`classes of branch ${branch}`)
  }
  const leaves = Object.values(taxonomy).flat()
  if (new Set(leaves).size !== leaves.length) throw check.error('taxonomy: a class is in two branches')
  if (productClasses && !isSameSet(productClasses, leaves)) throw check.error('productClasses')
}

/** Whether two lists without repetitions hold the same names, in any order. */
export function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}
