// Which of the changed objects are explained, and what both results say of them.
import { sqlName } from '../../connectors/files/duckdb.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { joinedTable, type LevelPair } from './level-diff.ts'

/** A changed object as the results have it. */
export interface Asked {
  readonly oid: string
  readonly classA: string
  readonly classB: string
  /** in the order of the side's classes */
  readonly probabilitiesA: readonly number[]
  readonly probabilitiesB: readonly number[]
}

interface DrawRequest {
  readonly sides: readonly [{ readonly results: Predictions }, { readonly results: Predictions }]
  readonly pair: LevelPair
  readonly changed: string
  readonly limit: number
}

const drawnTable = 'drawn'
const about = 'the comparison'

/** Draws objects whose class changed: by the md5 of their ids, so that any number of them is a fair sample, and the same one each time. */
export async function drawChanged(session: Session, { sides, pair, changed, limit }: DrawRequest) {
  const [a, b] = sides
  await session.rows(
    `CREATE OR REPLACE TEMP TABLE ${drawnTable} AS
     SELECT oid, a0, b0, row_number() OVER (ORDER BY md5(oid), oid) - 1 AS place
     FROM ${joinedTable} WHERE ${changed} ORDER BY md5(oid), oid LIMIT ${limit}`,
    about,
  )
  const objects = await session.count(`SELECT count(*) FROM ${drawnTable}`, about)
  const listed = (side: string, columns: readonly string[]): string[] => columns.map((name) => `${side}.${name}`)
  const columns = [...listed('a', pair.a.columns), ...listed('b', pair.b.columns)]
  const [widthA, widthB] = [pair.a.columns.length, pair.b.columns.length]
  return {
    changed: await session.count(`SELECT count(*) FROM ${joinedTable} WHERE ${changed}`, about),
    objects,
    /** Some of them, from a place on. */
    async piece(from: number, count: number): Promise<Asked[]> {
      const sql = `SELECT d.oid, d.a0::DOUBLE, d.b0::DOUBLE, ${columns.join(', ')}
        FROM ${drawnTable} d JOIN ${sqlName(a.results.table)} a USING (oid) JOIN ${sqlName(b.results.table)} b USING (oid)
        WHERE d.place >= ${from} AND d.place < ${from + count} ORDER BY d.place`
      const asked: Asked[] = []
      for await (const chunk of session.chunks(sql, about, Math.min(count, objects - from))) {
        const oids = chunk.texts(0)
        const numbers = Array.from({ length: 2 + widthA + widthB }, (_, i) => chunk.doubles(i + 1))
        const valuesOf = (row: number, start: number, width: number): number[] =>
          numbers.slice(start, start + width).map((values) => values[row]!)
        oids.forEach((oid, row) =>
          asked.push({
            oid: oid!,
            classA: pair.a.classes[numbers[0]![row]!]!,
            classB: pair.b.classes[numbers[1]![row]!]!,
            probabilitiesA: valuesOf(row, 2, widthA),
            probabilitiesB: valuesOf(row, 2 + widthA, widthB),
          }),
        )
      }
      return asked
    },
  }
}
