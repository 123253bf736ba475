// manifest.json, checked before anything believes it.
import { messageOf, ModelError } from '../../errors.ts'
import type { FileDigest, Manifest, ManifestLevel } from './manifest.ts'

/**
 * Reads a manifest.
 *
 * @param where the file, for messages
 * @throws ModelError naming the first thing that is not as a manifest should be
 */
export function parseManifest(text: string, where: string): Manifest {
  const check = new Checker(where)
  const value = check.record(parseJson(text, where), 'the manifest')
  if (value['formatVersion'] !== 1) {
    throw new ModelError(`${where}: format version ${String(value['formatVersion'])} is not known`, {
      hint: 'The bundle was made by another version of lcclf: import the model again, or update lcclf.',
    })
  }
  const kind = value['kind']
  if (kind !== 'forest' && kind !== 'onnx') throw check.error('kind')
  const preprocessing = check.record(value['preprocessing'], 'preprocessing')
  const trainedBy = check.record(value['trainedBy'], 'trainedBy')
  const golden = check.record(value['golden'], 'golden')
  const manifest: Manifest = {
    formatVersion: 1,
    kind,
    name: check.text(value['name'], 'name'),
    version: check.text(value['version'], 'version'),
    classifierName: check.text(value['classifierName'], 'classifierName'),
    taxonomy: value['taxonomy'] === null ? null : readTaxonomy(check, value['taxonomy']),
    levels: check.list(value['levels'], 'levels').map((level) => readLevel(check, level)),
    features: check.names(value['features'], 'features'),
    preprocessing: {
      missing: check.number(preprocessing['missing'], 'preprocessing.missing'),
      hugeAbove: check.number(preprocessing['hugeAbove'], 'preprocessing.hugeAbove'),
      huge: check.number(preprocessing['huge'], 'preprocessing.huge'),
    },
    trainedBy: {
      library: check.text(trainedBy['library'], 'trainedBy.library'),
      version: trainedBy['version'] === null ? null : check.text(trainedBy['version'], 'trainedBy.version'),
    },
    golden: { rows: check.count(golden['rows'], 'golden.rows'), source: check.text(golden['source'], 'golden.source') },
    origin: check.list(value['origin'], 'origin').map((entry) => readDigest(check, entry)),
    files: check.list(value['files'], 'files').map((entry) => readContent(check, entry)),
  }
  checkHierarchy(check, manifest)
  return manifest
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ModelError(`${where}: is no JSON (${messageOf(cause)})`, { cause })
  }
}

function readTaxonomy(check: Checker, value: unknown): Record<string, readonly string[]> {
  const entries = Object.entries(check.record(value, 'taxonomy'))
  return Object.fromEntries(entries.map(([branch, classes]) => [branch, check.names(classes, `taxonomy.${branch}`)]))
}

function readLevel(check: Checker, value: unknown): ManifestLevel {
  const level = check.record(value, 'a level')
  return {
    name: check.text(level['name'], 'a level’s name'),
    branch: level['branch'] === null ? null : check.text(level['branch'], 'a level’s branch'),
    classes: check.names(level['classes'], 'a level’s classes'),
    trees: check.count(level['trees'], 'a level’s trees'),
    nodes: check.count(level['nodes'], 'a level’s nodes'),
  }
}

function readDigest(check: Checker, value: unknown): FileDigest {
  const digest = check.record(value, 'a file')
  const file = check.text(digest['file'], 'a file’s name')
  const sha256 = check.text(digest['sha256'], `the sha256 of ${file}`)
  // a file of the bundle lies in the bundle's folder, whatever the manifest says
  if (!/^[0-9a-f]{64}$/.test(sha256) || /[/\\\0]/.test(file) || file === '.' || file === '..') {
    throw check.error(`a file’s name or sha256 (${file})`)
  }
  return { file, sha256, size: check.count(digest['size'], `the size of ${file}`) }
}

/** What else lies beside the files of a bundle, in the store or while it is fetched: the last of two would win. */
const reserved = /^(manifest\.json|pulled\.json|lcclf-index\.json)$|\.part(\.|$)/i

function readContent(check: Checker, value: unknown): FileDigest {
  const digest = readDigest(check, value)
  const { file } = digest
  if (file === '' || reserved.test(file) || /\p{C}/u.test(file)) {
    throw check.error(`a file’s name (${JSON.stringify(file)})`)
  }
  return digest
}

/** The levels must be those of the taxonomy, so that nothing later looks for a class that is not there. */
function checkHierarchy(check: Checker, { taxonomy, levels }: Manifest): void {
  const [top, ...branches] = levels
  if (!top || top.branch !== null) throw check.error('the top level')
  if (taxonomy === null) {
    if (branches.length > 0) throw check.error('the levels of a model without taxonomy')
    return
  }
  const isSame = (a: readonly string[], b: readonly string[]) =>
    a.length === b.length && a.every((name) => b.includes(name))
  const names = branches.map(({ branch }) => branch ?? '')
  if (!isSame(names, Object.keys(taxonomy)) || !isSame(names, top.classes))
    throw check.error('the branches of the taxonomy')
  for (const { branch, classes } of branches) {
    if (!isSame(classes, taxonomy[branch!] ?? [])) throw check.error(`the classes of branch ${branch}`)
  }
  const leaves = Object.values(taxonomy).flat()
  if (new Set(leaves).size !== leaves.length) throw check.error('a class that is in two branches')
}

class Checker {
  readonly #where: string

  constructor(where: string) {
    this.#where = where
  }

  error(what: string): ModelError {
    return new ModelError(`${this.#where}: ${what} is not as it should be`, {
      hint: 'The bundle is damaged: copy it again, or import the model again.',
    })
  }

  record(value: unknown, what: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.error(what)
    return value as Record<string, unknown>
  }

  list(value: unknown, what: string): unknown[] {
    if (!Array.isArray(value)) throw this.error(what)
    return value
  }

  names(value: unknown, what: string): string[] {
    const names = this.list(value, what).map((name) => this.text(name, what))
    if (names.length === 0 || new Set(names).size !== names.length) throw this.error(what)
    return names
  }

  text(value: unknown, what: string): string {
    if (typeof value !== 'string') throw this.error(what)
    return value
  }

  number(value: unknown, what: string): number {
    if (typeof value !== 'number') throw this.error(what)
    return value
  }

  count(value: unknown, what: string): number {
    const count = this.number(value, what)
    if (!Number.isSafeInteger(count) || count < 0) throw this.error(what)
    return count
  }
}
