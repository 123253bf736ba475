// Which output of an ONNX classifier is which level of a hierarchy, and what its columns are called.
import { ModelError, UsageError } from '../../errors.ts'
import { type BranchTaxonomy, checkTaxonomy, type ManifestLevel } from '../bundle/manifest.ts'
import { attributeNamed, contentsOf, decodeText, integerOf, numbersOf } from './document.ts'
import type { OnnxDocument, OnnxNode } from './document.ts'
import { elementType, mlDomain } from './messages.ts'
import { readMetadata } from './metadata.ts'

/** Classes in output order: under their branches, or as a list. */
export type OnnxTaxonomy = BranchTaxonomy | readonly string[]

/** One level and the matrix of the graph that holds its probabilities. */
export interface OnnxLevel extends Pick<ManifestLevel, 'name' | 'branch' | 'classes'> {
  readonly matrix: string
  readonly type: 'float32' | 'float64'
  /** which column of the matrix is which class; null where they are in order */
  readonly columns: readonly number[] | null
}

/** A matrix of probabilities that the graph gives, directly or through a ZipMap. */
interface Candidate {
  /** of the output */
  readonly name: string
  readonly matrix: string
  readonly type: 'float32' | 'float64'
  readonly names: ColumnNames | null
  /** null where the graph does not say */
  readonly width: number | null
}

/**
 * Finds the levels. With branches in the taxonomy and an output for the top and for every branch (called as the level,
 * `top`, `stochastic` …, or as its classifier_name, `lc_classifier_top` …), the model is a hierarchy and the product is
 * made of the levels. Else the model is flat, has one level over all classes and no levels beneath: the taxonomy then only
 * says what the classes are called and in which order they come out, because what a branch is worth in a flat model is not
 * for us to invent.
 *
 * Columns are known by the labels in the graph. Where it has none, or has numbers, they are taken in the taxonomy's order,
 * and a warning says so.
 *
 * @returns the top first, then the branches; or one level alone, and no taxonomy
 * @param where the file, for messages
 * @throws ModelError where no output, or more than one, can be the probabilities, or the classes are not the taxonomy's;
 *   UsageError for an impossible taxonomy
 */
export function findOnnxLevels(document: OnnxDocument, asked: OnnxTaxonomy | undefined, where: string) {
  const metadata = readMetadata(document, where)
  const taxonomy = asked ?? metadata.taxonomy ?? undefined
  const candidates = candidatesOf(document, metadata)
  if (taxonomy !== undefined && !isList(taxonomy)) {
    checkTaxonomy(taxonomy)
    const hierarchy = findHierarchy(candidates, taxonomy, where)
    if (hierarchy) return hierarchy
  }
  const classes = taxonomy === undefined ? null : isList(taxonomy) ? taxonomy : Object.values(taxonomy).flat()
  if (classes !== null && (classes.length === 0 || new Set(classes).size !== classes.length)) {
    throw new UsageError('the taxonomy is empty or names a class twice')
  }
  const candidate = onlyCandidate(candidates, where)
  const { level, warning } = nameColumns(candidate, { name: 'flat', branch: null, wanted: classes }, where)
  const ordered = classes === null ? level : inOrder(level, classes)
  return { taxonomy: null, levels: [ordered], warnings: warning === null ? [] : [warning] }
}

function isList(taxonomy: OnnxTaxonomy): taxonomy is readonly string[] {
  return Array.isArray(taxonomy)
}

function candidatesOf(document: OnnxDocument, metadata: ReturnType<typeof readMetadata>): Candidate[] {
  return document.outputs.flatMap(({ name, type, shape }) => {
    const zip = document.nodes.find((node) => isZipMap(node) && node.outputs.includes(name))
    const matrix = zip?.inputs[0] ?? name
    if (!zip && ((type !== 'float32' && type !== 'float64') || (shape !== null && shape.length !== 2))) return []
    const said = metadata.outputs.get(name)
    return {
      name,
      matrix,
      type: type === 'float64' ? type : 'float32',
      names: said ? { names: said, areNumbers: false } : columnNamesOf(document, matrix),
      width: typeof shape?.[1] === 'number' ? shape[1] : null,
    }
  })
}

function findHierarchy(candidates: readonly Candidate[], taxonomy: BranchTaxonomy, where: string) {
  const branches = Object.keys(taxonomy)
  const wanted = [
    { name: 'top', branch: null, wanted: branches, known: ['top'] },
    ...branches.map((branch) => {
      const name = branch.toLowerCase()
      return { name, branch, wanted: taxonomy[branch]!, known: [name, branch] }
    }),
  ]
  const found = wanted.map(({ known }) =>
    candidates.find(({ name }) => known.some((level) => name === level || isLevelName(name, level))),
  )
  if (found.includes(undefined)) return null
  const named = wanted.map((level, index) => nameColumns(found[index]!, level, where))
  return {
    taxonomy,
    levels: named.map(({ level }) => level),
    warnings: named.map(({ warning }) => warning).filter((warning) => warning !== null),
  }
}

/** A level's classifier_name, whatever the model's is. */
function isLevelName(name: string, level: string): boolean {
  return name.startsWith('lc_classifier_') && name.endsWith(`_${level}`)
}

function onlyCandidate(candidates: readonly Candidate[], where: string): Candidate {
  const usual = ['lc_classifier', 'output_probability', 'probabilities', 'probability']
  const preferred = usual.map((name) => candidates.find((candidate) => candidate.name === name)).find(Boolean)
  if (preferred) return preferred
  if (candidates.length === 1) return candidates[0]!
  const there = candidates.length === 0 ? 'none' : candidates.map(({ name }) => name).join(', ')
  throw new ModelError(`${where}: one output must be the matrix of probabilities, but ${there} can be`, {
    hint:
      'Export the model with its probabilities as an output called probabilities, float32, one row an object. ' +
      'Outputs that are levels (top, and every branch in lower case) need --taxonomy FILE.',
  })
}

/** @param wanted null where any classes will do */
function nameColumns(
  { matrix, type, names, width, name: output }: Candidate,
  { name, branch, wanted }: { name: string; branch: string | null; wanted: readonly string[] | null },
  where: string,
): { level: OnnxLevel; warning: string | null } {
  const levelOf = (classes: readonly string[]) => ({ name, branch, classes, matrix, type, columns: null })
  const known = names?.names ?? null
  if (known !== null && (new Set(known).size !== known.length || (width !== null && width !== known.length))) {
    throw new ModelError(
      `${where}: output ${output} has ${width ?? known.length} columns and the labels ${list(known)}`,
    )
  }
  if (wanted === null) {
    if (known === null) {
      throw new UsageError(`${where}: does not say what its classes are called`, {
        hint: 'Give them with --taxonomy FILE: {"branch": ["class", …], …}, or a list in the order of the columns.',
      })
    }
    const warning = names!.areNumbers ? `${where}: its classes are numbers; --taxonomy FILE gives them names` : null
    return { level: levelOf(known), warning }
  }
  if (known !== null && known.length === wanted.length && known.every((label) => wanted.includes(label))) {
    return { level: levelOf(known), warning: null }
  }
  const count = known?.length ?? width
  if ((known !== null && !names!.areNumbers) || (count !== null && count !== wanted.length)) {
    const there = known === null ? `${count} classes` : `the classes ${list(known)}`
    throw new ModelError(`${where}: output ${output} has ${there}, the taxonomy ${list(wanted)}`, {
      hint: 'The taxonomy must name exactly the classes of the model, as they were called in training.',
    })
  }
  const told = known === null ? 'has no names for its columns' : 'was trained on numbers'
  const pairs = wanted.map((class_, column) => `${known?.[column] ?? column} is ${class_}`).join(', ')
  return { level: levelOf(wanted), warning: `${where}: output ${output} ${told}; by the taxonomy's order ${pairs}` }
}

/** The same level with its classes in output order. */
function inOrder(level: OnnxLevel, classes: readonly string[]): OnnxLevel {
  const columns = classes.map((name) => level.classes.indexOf(name))
  return columns.every((column, place) => column === place) ? level : { ...level, classes, columns }
}

function list(names: readonly string[]): string {
  return names.length > 30 ? `${names.slice(0, 30).join(', ')}, … (${names.length})` : names.join(', ')
}

// What an ONNX graph says of its classes: the names of the columns of a matrix of probabilities.

/** Names of columns, in their order. */
interface ColumnNames {
  readonly names: readonly string[]
  /** whether the model was trained on numbers, so that these are not names of classes */
  readonly areNumbers: boolean
}

const labelAttributes = ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints']
/** operators that leave columns where they are */
const passing = new Set(['Identity', 'Cast', 'Normalizer', 'Reshape', 'Softmax', 'Sigmoid', 'Clip', 'Dropout'])

/**
 * The names of a matrix's columns: the labels of the ZipMap that reads it or of the classifier that made it, or, as
 * scikit-learn's converter writes most classifiers, the constant that the label is taken from.
 *
 * @returns null where the graph does not say
 */
function columnNamesOf(document: OnnxDocument, matrix: string): ColumnNames | null {
  const { nodes } = document
  const reader = nodes.find((node) => isZipMap(node) && node.inputs[0] === matrix)
  const maker = makerOf(nodes, matrix)
  return (reader && labelsOf(reader)) ?? (maker && labelsOf(maker)) ?? labelConstant(document)
}

/** skl2onnx's last node: a matrix → a list of maps, one a row, which onnxruntime-node cannot return. */
export function isZipMap({ operator, domain }: OnnxNode): boolean {
  return operator === 'ZipMap' && domain === mlDomain
}

function makerOf(nodes: readonly OnnxNode[], matrix: string): OnnxNode | undefined {
  let value: string | undefined = matrix
  // a graph has no cycles, but a file may say so
  for (let steps = 0; steps <= nodes.length; steps++) {
    const maker = nodes.find(({ outputs }) => outputs.includes(value!))
    if (!maker || !passing.has(maker.operator)) return maker
    value = maker.inputs[0]
  }
  return undefined
}

function labelsOf(node: OnnxNode): ColumnNames | null {
  if (node.domain !== mlDomain) return null
  for (const name of labelAttributes) {
    const attribute = attributeNamed(node, name)
    if (attribute === undefined) continue
    const texts = contentsOf(attribute, 9).map(decodeText)
    if (texts.length > 0) return { names: texts, areNumbers: false }
    const numbers = textsOf(attribute, 8)
    if (numbers.length > 0) return { names: numbers, areNumbers: true }
  }
  return null
}

/** The classes that the label is looked up in, where there is exactly one such list. */
function labelConstant({ nodes, constants }: OnnxDocument): ColumnNames | null {
  const extracted = nodes.filter(({ operator }) => operator === 'ArrayFeatureExtractor').map(({ inputs }) => inputs[0])
  const lists = constants
    .filter(({ name }) => extracted.includes(name))
    .map(({ content }) => constantLabels(content))
    .filter((labels) => labels !== null)
  return lists.length === 1 ? lists[0]! : null
}

function constantLabels(tensor: Uint8Array): ColumnNames | null {
  const type = integerOf(tensor, 2)
  if (type === elementType.string) return { names: contentsOf(tensor, 6).map(decodeText), areNumbers: false }
  if (type !== elementType.int64) return null
  const [raw] = contentsOf(tensor, 9)
  if (raw === undefined || raw.length === 0) return { names: textsOf(tensor, 7), areNumbers: true }
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length - (raw.length % 8))
  const names = Array.from({ length: view.byteLength / 8 }, (_, i) => String(view.getBigInt64(i * 8, true)))
  return { names, areNumbers: true }
}

/** A list of integers as texts, because int64 is wider than a number. */
function textsOf(message: Uint8Array, number: number): string[] {
  return numbersOf(message, number, (packed) => packed.int64().toString())
}
