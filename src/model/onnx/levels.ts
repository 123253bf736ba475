// Which output of an ONNX classifier is which level of a hierarchy, and what its columns are called.
import { ModelError, UsageError } from '../../errors.ts'
import { type BranchTaxonomy, checkTaxonomy, type ManifestLevel } from '../bundle/manifest.ts'
import { type ColumnNames, columnNamesOf, isZipMap } from './classes.ts'
import type { OnnxDocument } from './document.ts'
import { type GraphMetadata, readMetadata } from './metadata.ts'

/** Classes in output order: under their branches, or as a list. */
export type OnnxTaxonomy = BranchTaxonomy | readonly string[]

/** One level and the matrix of the graph that holds its probabilities. */
export interface OnnxLevel extends Pick<ManifestLevel, 'name' | 'branch' | 'classes'> {
  readonly matrix: string
  readonly type: 'float32' | 'float64'
  /** which column of the matrix is which class; null where they are in order */
  readonly columns: readonly number[] | null
}

/** The levels of a graph. */
interface OnnxLevels {
  /** null for a model of one level */
  readonly taxonomy: BranchTaxonomy | null
  /** the top first, then the branches; or one alone */
  readonly levels: readonly OnnxLevel[]
  readonly warnings: readonly string[]
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
 * @param where the file, for messages
 * @throws ModelError where no output, or more than one, can be the probabilities, or the classes are not the taxonomy's;
 *   UsageError for an impossible taxonomy
 */
export function findOnnxLevels(document: OnnxDocument, asked: OnnxTaxonomy | undefined, where: string): OnnxLevels {
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

function candidatesOf(document: OnnxDocument, metadata: GraphMetadata): Candidate[] {
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

function findHierarchy(candidates: readonly Candidate[], taxonomy: BranchTaxonomy, where: string): OnnxLevels | null {
  const branches = Object.keys(taxonomy)
  const wanted = [
    { name: 'top', branch: null, wanted: branches, known: ['top'] },
    ...branches.map((branch) => {
      const name = branch.toLowerCase()
      return { name, branch, wanted: taxonomy[branch]!, known: [name, branch] }
    }),
  ]
  const found = wanted.map(({ known }) =>
    candidates.find(({ name }) => known.some((level) => name === level || name === `lc_classifier_${level}`)),
  )
  if (found.includes(undefined)) return null
  const named = wanted.map((level, index) => nameColumns(found[index]!, level, where))
  return {
    taxonomy,
    levels: named.map(({ level }) => level),
    warnings: named.map(({ warning }) => warning).filter((warning) => warning !== null),
  }
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

interface WantedLevel {
  readonly name: string
  readonly branch: string | null
  /** null where any classes will do */
  readonly wanted: readonly string[] | null
}

function nameColumns(
  { matrix, type, names, width, name: output }: Candidate,
  { name, branch, wanted }: WantedLevel,
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
