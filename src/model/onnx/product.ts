// The last nodes of a graph: columns in output order, and the product over the branches.
import type { Writer } from 'protobufjs/minimal.js'
import { attributeOf, writeIntegers, writeNode } from './messages.ts'
import type { Hierarchy } from '../bundle/plain-evaluation.ts'

/** Names that no other value of a graph has. */
export type FreshName = (wanted: string) => string

/** @param taken the names that are in the graph already; the fresh ones are added */
export function freshNames(taken: Set<string>): FreshName {
  return (wanted) => {
    let name = wanted
    for (let count = 2; taken.has(name); count++) name = `${wanted}_${count}`
    taken.add(name)
    return name
  }
}

/** Some columns of a matrix in another order; returns the name of the new matrix. */
export function writeColumns(
  graph: Writer,
  { matrix, columns, name }: { matrix: string; columns: readonly number[]; name: string },
  fresh: FreshName,
): string {
  const indices = fresh(`${name}_columns`)
  writeIntegers(graph, indices, columns)
  writeNode(graph, {
    operator: 'Gather',
    inputs: [matrix, indices],
    outputs: [name],
    attributes: [attributeOf.int('axis', 1)],
  })
  return name
}

/**
 * P(class) = P_top(branch) × P_branch(class) over all leaf classes, in output order.
 *
 * @param matrices the names of the levels' probabilities, the top first, columns as in `hierarchy.levels`
 * @param name of the product
 */
export function writeProduct(
  graph: Writer,
  { hierarchy, matrices, name }: { hierarchy: Hierarchy; matrices: readonly string[]; name: string },
  fresh: FreshName,
): void {
  const [top, ...branches] = hierarchy.levels
  const parts = branches.map(({ branch, classes }, index) => {
    const wanted = hierarchy.taxonomy?.[branch!] ?? []
    const ofBranch = { matrix: matrices[0]!, columns: [top!.classes.indexOf(branch!)], name: fresh(`${name}_branch`) }
    const ofClasses = {
      matrix: matrices[index + 1]!,
      columns: wanted.map((class_) => classes.indexOf(class_)),
      name: fresh(`${name}_classes`),
    }
    const part = fresh(`${name}_part`)
    const inputs = [writeColumns(graph, ofBranch, fresh), writeColumns(graph, ofClasses, fresh)]
    writeNode(graph, { operator: 'Mul', inputs, outputs: [part] })
    return part
  })
  writeNode(graph, { operator: 'Concat', inputs: parts, outputs: [name], attributes: [attributeOf.int('axis', 1)] })
}
