// Findings to make reports of: drawn numbers, and names as hostile as one likes.
import type { ClassifiedBatch, Taxonomy } from '../../src/pipeline/batch.ts'
import { classifyPage } from '../../src/jobs/classify/report-page.ts'
import { createClassifyWatch } from '../../src/jobs/classify/report-facts.ts'
import { diffPage } from '../../src/jobs/diff/page.ts'
import { evaluatePage } from '../../src/jobs/evaluate/page.ts'
import { explainPage } from '../../src/jobs/explain/page.ts'
import type { DiffReport } from '../../src/jobs/diff/diff-predictions.ts'
import { evaluatePredictions } from '../../src/jobs/evaluate/evaluate-predictions.ts'
import type { EvaluationReport } from '../../src/jobs/evaluate/evaluation-report.ts'
import type { Explanation } from '../../src/jobs/explain/explain-object.ts'
import type { Receipt } from '../../src/jobs/classify/receipt.ts'

/** What must never come out as it went in. */
export const hostile = `</script><script>alert('x')</script><img src=x onerror=alert(1)>"&\u202e\0`

/** A hierarchy of three branches. */
export function drawnTaxonomy(leafCount: number, name = (i: number): string => `C${i}`): Taxonomy {
  const leaves = Array.from({ length: leafCount }, (_, i) => name(i))
  const branches = ['Stochastic', 'Periodic', 'Transient']
  const own = branches.map((branch, b) => ({
    classifierName: `lc_classifier_${branch.toLowerCase()}`,
    prefix: branch.toLowerCase(),
    branch,
    classes: leaves.filter((_, i) => i % 3 === b),
  }))
  const product = { classifierName: 'lc_classifier', prefix: '', branch: null, classes: own.flatMap((l) => l.classes) }
  return { levels: [product, { ...product, classifierName: 'lc_classifier_top', classes: branches }, ...own] }
}

/** Numbers from 0 to 1 that are the same each time. */
function drawnNumbers(seed: number): () => number {
  let state = seed
  return () => (state = (state * 1103515245 + 12345) % 2147483648) / 2147483648
}

/** Rows of probabilities that add up to 1. */
function drawnRows(rowCount: number, width: number, next: () => number): Float64Array {
  const values = new Float64Array(rowCount * width)
  for (let row = 0; row < rowCount; row++) {
    const own = Array.from({ length: width }, () => next() ** 6)
    const sum = own.reduce((total, value) => total + value, 0)
    own.forEach((value, i) => (values[row * width + i] = value / sum))
  }
  return values
}

export function drawnBatch(
  taxonomy: Taxonomy,
  rowCount: number,
  oid = (row: number): string => `o${row}`,
): ClassifiedBatch {
  const next = drawnNumbers(rowCount)
  return {
    rowCount,
    oids: Array.from({ length: rowCount }, (_, row) => oid(row)),
    candids: Array.from({ length: rowCount }, (_, row) => 1234567890123456789n + BigInt(row)),
    taxonomy,
    classifierVersion: 'drawn_1',
    probabilities: taxonomy.levels.map(({ classes }) => drawnRows(rowCount, classes.length, next)),
  }
}

export function drawnReceipt(address: string): Receipt {
  return {
    schemaVersion: 1,
    command: 'classify',
    startedAt: '2026-11-22T00:00:00.000Z',
    endedAt: '2026-11-22T00:00:01.000Z',
    model: { name: 'drawn', version: '1', sha256: 'ab' },
    options: { where: address, rename: { a: address }, limit: null },
    inputs: [{ address, read: 10, classified: 9, rejected: 1, duplicates: 0, reasons: { [address]: 1 } }],
    outputs: [{ address, objects: 9, rows: 9, filtered: 0, refused: 0, superseded: 0, reasons: {} }],
    notes: [address],
    balanced: true,
    exitCode: 0,
  }
}

function drawnEvaluation(taxonomy: Taxonomy, rowCount: number, text = 'file.csv'): EvaluationReport {
  const { probabilities } = drawnBatch(taxonomy, rowCount)
  const leaves = taxonomy.levels[0]!.classes
  const next = drawnNumbers(7)
  const labels = Array.from({ length: rowCount }, (_, row) => {
    const own = probabilities[0]!.subarray(row * leaves.length, (row + 1) * leaves.length)
    return next() < 0.5 ? leaves[own.indexOf(Math.max(...own))]! : leaves[Math.floor(next() * leaves.length)]!
  })
  const oids = labels.map((_, row) => (row % 2 ? `${text}${row}` : `o${row}`))
  const { evaluated, labelledByBranch, ...findings } = evaluatePredictions({
    levels: taxonomy.levels,
    oids,
    labels,
    probabilities,
    bins: 10,
  })
  return {
    schemaVersion: 1,
    command: 'evaluate',
    predictions: { address: text, classifier_version: text, objects: rowCount },
    labels: { address: text, column: text, objects: rowCount },
    coverage: {
      evaluated,
      labelled_by_branch: labelledByBranch,
      objects_without_label: 0,
      labels_without_prediction: 0,
      labels_outside_taxonomy: 1,
      outside_taxonomy: { [text]: 1 },
      conflicting_labels: 0,
      empty_labels: 0,
      duplicate_predictions: 0,
    },
    tie_order_known: true,
    tie_order_assumed: null,
    ...findings,
  }
}

function drawnDiff(taxonomy: Taxonomy, text = 'file.csv'): DiffReport {
  const next = drawnNumbers(3)
  const side = {
    address: text,
    classifier_version: text,
    objects: 9,
    duplicates: 0,
    ties: 1,
    tie_order_known: false,
    tie_order_assumed: text,
    only_here: { objects: 0, first: [] },
  }
  const moved = Array.from({ length: 80 }, (_, i) => ({
    oid: `${text}${i}`,
    class_a: taxonomy.levels[0]!.classes[0]!,
    probability_a: next(),
    class_b: taxonomy.levels[0]!.classes[1]!,
    probability_b: next(),
    distance: next(),
  }))
  return {
    schemaVersion: 1,
    command: 'diff',
    calibrated: null,
    a: side,
    b: side,
    common: 9,
    changed: 3,
    changed_share: 1 / 3,
    changed_without_moving: 1,
    movement: {
      mean: 0.1,
      median: 0.1,
      p95: 0.2,
      p99: 0.3,
      max: 0.4,
      histogram: [{ from: 0, to: 0.05, objects: 9 }],
    },
    levels: taxonomy.levels.map(({ classifierName, branch, classes }) => ({
      classifier_name: classifierName,
      branch,
      objects: 9,
      changed: 3,
      changed_share: 1 / 3,
      ties_a: 1,
      ties_b: 0,
      transitions: { classes_a: classes, classes_b: classes, counts: classes.map(() => classes.map(() => 1)) },
      classes: classes.map((name) => ({
        class: name,
        share_a: next(),
        share_b: next(),
        mean_probability_a: next(),
        mean_probability_b: next(),
        ks: next(),
        psi: null,
        bins: [],
      })),
      share_psi: next(),
    })),
    levels_only_in_a: [text],
    levels_only_in_b: [],
    changed_objects: moved,
    most_moved: moved,
    why: drawnWhy(taxonomy, text),
    limit: { text: '1', exceeded: true },
  }
}

function drawnWhy(taxonomy: Taxonomy, text: string): NonNullable<DiffReport['why']> {
  const [from, to] = taxonomy.levels[0]!.classes
  const side = {
    features: [text],
    model: { name: text, version: text, sha256: 'ab' },
    without_features: { objects: 1, first: [text] },
    not_reproduced: { objects: 1, first: [text] },
  }
  const cause = (i: number) => ({
    cause: `${text}${i}`,
    kind: 'features' as const,
    families: [{ family: text, effect: 'missing' as const, factor: null }],
    objects: 300 - i,
    share: 1 / 300,
    class_before: from!,
    class_after: to ?? text,
    typical_objects: 1,
    near_ties: 1,
    margin_before: 0.1,
    margin_after: 0.2,
    approximate: 0,
    examples: [text],
  })
  const counts = { changed: 3, drawn: 3, explained: 1, near_tie_below: 0.05, near_ties: 1, approximate: 0 }
  const causes = Array.from({ length: 300 }, (_, i) => cause(i))
  return { ...counts, a: side, b: side, distinct_causes: 400, causes }
}

function drawnExplanation(taxonomy: Taxonomy, text = 'object', featureCount = 30): Explanation {
  const next = drawnNumbers(5)
  const features = Array.from({ length: featureCount }, (_, i) => ({
    name: `${text}${i}`,
    value: next(),
    is_missing: i === 1,
    training: i === 0 ? { q05: 0, q25: 0.25, q50: 0.5, q75: 0.75, q95: 1, missing: 0 } : null,
  }))
  const levels = taxonomy.levels.map(({ classifierName, branch, classes }) => ({
    classifier_name: classifierName,
    branch,
    classes: classes.map((name) => ({
      class: name,
      probability: next(),
      base: next(),
      contributions: features.map(() => next() - 0.5),
    })),
  }))
  const own = levels[0]!.classes[0]!
  return {
    schemaVersion: 1,
    command: 'explain',
    model: { name: text, version: text, sha256: 'ab' },
    input: text,
    oid: text,
    candid: '1234567890123456789',
    method: 'tree_shap',
    is_exact: false,
    space: 'probability',
    predicted_class: own.class,
    class: own.class,
    branch: taxonomy.levels.find(({ branch, classes }) => branch !== null && classes.includes(own.class))!.branch,
    probability: own.probability,
    base: own.base,
    ranking: features.slice(0, 10).map((feature, i) => ({
      ...feature,
      contribution: own.contributions[i]!,
      top_contribution: 0,
      branch_contribution: 0,
    })),
    others: { features: featureCount - 10, contribution: 0 },
    additivity_error: 1e-16,
    features,
    levels,
  }
}

/** A report of each command that makes one. */
export async function drawnPages(leafCount: number, objects: number, text: string): Promise<Record<string, string>> {
  const taxonomy = drawnTaxonomy(leafCount, (i) => (i === 0 ? text : `C${i}`))
  const watch = createClassifyWatch(taxonomy)
  const input = watch.openInput()
  input.see(drawnBatch(taxonomy, objects, (row) => `${text}${row}`))
  input.keep()
  return {
    classify: await classifyPage(drawnReceipt(text), watch.facts, { done: 1 }),
    evaluate: await evaluatePage(drawnEvaluation(taxonomy, objects, text)),
    diff: await diffPage(drawnDiff(taxonomy, text)),
    explain: await explainPage(drawnExplanation(taxonomy, text, 100)),
  }
}
