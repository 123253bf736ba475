// The rows an output must hold, made the plain way from the batch: what the layouts' tests compare with.
import type { ClassifiedBatch, InputSchema } from '../../../src/pipeline/batch.ts'
import type { Layout } from '../../../src/connectors/address.ts'

/** Integers of ids are bigint, whatever their width; candid is bigint or null. */
export type Row = Record<string, unknown>

export function expectedRows(layout: Layout, batch: ClassifiedBatch, schema: InputSchema): Row[] {
  return Array.from({ length: batch.rowCount }, (_, row) => row).flatMap((row): Row[] => {
    const oid = schema.oidType === 'string' ? batch.oids[row]! : BigInt(batch.oids[row]!)
    const candid = schema.hasCandid ? { candid: batch.candids[row]! } : {}
    const levels = batch.taxonomy.levels.map((level, l) => ({ ...level, p: probabilitiesOf(batch, l, row) }))
    const [product, top, ...children] = levels
    const best = Object.entries(product!.p).reduce((a, b) => (b[1] > a[1] ? b : a))
    const version = { classifier_version: batch.classifierVersion }
    if (layout === 'long') return levels.flatMap((level) => longRows(oid, version, level)).sort(byNames)
    if (layout === 'wide') {
      const wide = { oid, ...candid, class: best[0], probability: best[1], ...version, ...product!.p }
      for (const level of [top, ...children])
        for (const name of level?.classes ?? []) Object.assign(wide, { [`${level!.prefix}/${name}`]: level!.p[name] })
      return [wide]
    }
    const hierarchical = top && {
      hierarchical: { top: top.p, children: Object.fromEntries(children.map((child) => [child.branch, child.p])) },
    }
    const lc_classification = { probabilities: product!.p, class: best[0], ...hierarchical }
    return [{ oid, ...candid, ...version, lc_classification }]
  })
}

function probabilitiesOf(batch: ClassifiedBatch, level: number, row: number): Record<string, number> {
  const { classes } = batch.taxonomy.levels[level]!
  return Object.fromEntries(classes.map((name, i) => [name, batch.probabilities[level]![row * classes.length + i]!]))
}

function longRows(oid: unknown, version: Row, level: { classifierName: string; p: Record<string, number> }): Row[] {
  const distinct = [...new Set(Object.values(level.p))].sort((a, b) => b - a)
  return Object.entries(level.p).map(([name, probability]) => ({
    oid,
    classifier_name: level.classifierName,
    ...version,
    class_name: name,
    probability,
    ranking: distinct.indexOf(probability) + 1,
  }))
}

function byNames(a: Row, b: Row): number {
  const key = (row: Row): string => `${String(row['classifier_name'])}\0${String(row['class_name'])}`
  return key(a) < key(b) ? -1 : 1
}
