// Predictions and labels joined: what is evaluated, and what has no counterpart.
import { sqlName } from '../../connectors/files/duckdb.ts'
import type { Labels } from './labels.ts'
import type { PredictedLevel, Predictions } from './predictions.ts'
import type { Session } from './session.ts'

/** Objects that have a prediction and a label of the taxonomy, sorted by oid. */
interface LabelledPredictions {
  readonly oids: readonly string[]
  /** the label of each: a leaf class, or the name of a branch */
  readonly labels: readonly string[]
  /** for each level objects × classes, row-major */
  readonly probabilities: readonly Float64Array[]
}

/** What the join left over. */
interface Coverage {
  readonly objects_without_label: number
  readonly labels_without_prediction: number
  /** label → objects, the most frequent first */
  readonly labels_outside_taxonomy: Readonly<Record<string, number>>
}

/** Joins by oid. Memory grows with the objects that have both: 8 bytes a probability. */
export async function joinLabels(
  session: Session,
  predictions: Predictions,
  labels: Labels,
): Promise<{ joined: LabelledPredictions; coverage: Coverage }> {
  const about = predictions.address
  const both = `${sqlName(predictions.table)} p JOIN ${sqlName(labels.table)} l USING (oid)`
  const counted = await session.rows(
    `SELECT class, count(*) AS n FROM ${both} GROUP BY class ORDER BY n DESC, class`,
    about,
  )
  const known = new Set(predictions.levels.flatMap(({ classes }) => classes))
  const matched = counted.reduce((sum, [, n]) => sum + Number(n), 0)
  const outside = counted.filter(([name]) => !known.has(String(name)))
  const usable = matched - outside.reduce((sum, [, n]) => sum + Number(n), 0)
  return {
    joined: await fetchJoined(session, both, predictions.levels, { known, matched, count: usable, about }),
    coverage: {
      objects_without_label: predictions.objects - matched,
      labels_without_prediction: labels.objects - matched,
      labels_outside_taxonomy: Object.fromEntries(outside.map(([name, n]) => [String(name), Number(n)])),
    },
  }
}

async function fetchJoined(
  session: Session,
  both: string,
  levels: readonly PredictedLevel[],
  { known, matched, count, about }: { known: ReadonlySet<string>; matched: number; count: number; about: string },
): Promise<LabelledPredictions> {
  const oids: string[] = []
  const labels: string[] = []
  const probabilities = levels.map(({ classes }) => new Float64Array(count * classes.length))
  const columns = levels.flatMap((level, l) =>
    level.columns.map((name, i) => ({ name, l, i, width: level.classes.length })),
  )
  const sql = `SELECT oid, class, ${columns.map(({ name }) => name).join(', ')} FROM ${both} ORDER BY oid`
  for await (const chunk of session.chunks(sql, about, matched)) {
    const chunkOids = chunk.texts(0)
    const chunkLabels = chunk.texts(1)
    const doubles = columns.map((_, c) => chunk.doubles(c + 2))
    for (let row = 0; row < chunk.rowCount; row++) {
      const label = chunkLabels[row]!
      if (!known.has(label)) continue
      const at = oids.push(chunkOids[row]!) - 1
      labels.push(label)
      columns.forEach(({ l, i, width }, c) => (probabilities[l]![at * width + i] = doubles[c]![row]!))
    }
  }
  return { oids, labels, probabilities }
}
