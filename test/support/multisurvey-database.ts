// A database with the survey's tables of today, and features in it as the survey stores them.
import { readFileSync } from 'node:fs'
import { surveyOid } from '../../src/connectors/survey-ids.ts'
import { readTruth } from './models-of-today.ts'
import { createDatabase, type TestDatabase } from './postgres-database.ts'
import { sharedPostgres } from './postgres-shared.ts'

const tables = readFileSync(new URL('../fixtures/postgres/tables-multisurvey.sql', import.meta.url), 'utf8')

/** The 199 features of the survey's model of 2025, in its order. */
export const surveyFeatures = readTruth('today/bhrf-2.1.0').features

/** features of the survey that its model does not use */
const otherNames = ['TDE_mag0', 'fleet_m0', 'fleet_t0', 'ulens_mag0', 'ulens_t0']

/** How the survey stores a feature: its name has hyphens and slashes where the model has `_`, and no band. */
export function storedName(feature: string): { name: string; band: number } {
  const [, base = feature, digits = '0'] = /^(.*)_(12|1|2)$/.exec(feature) ?? []
  const name = base
    .replace(/^Power_rate_1_/, 'Power_rate_1/')
    .replace(/^(W\d|[gr])_(W\d)$/, '$1-$2')
    .replace(/^g_r_/, 'g-r_')
    .replace(/^ps_(\w)_(\w)$/, 'ps_$1-$2')
  return { name, band: Number(digits) }
}

/** The names without bands, each at the place that is its feature_id. */
export const bandlessNames = [...new Set(surveyFeatures.map((feature) => storedName(feature).name)), ...otherNames]

/** A database with the tables, the names of features, and one version of features, which is 1. */
export async function createMultisurvey(serverUrl?: string): Promise<TestDatabase> {
  const database = await createDatabase(serverUrl ?? (await sharedPostgres()), { tables: 'none' })
  await database.query(tables)
  await database.query(
    'INSERT INTO feature_name_lut SELECT n - 1, name FROM unnest($1::text[]) WITH ORDINALITY x(name, n)',
    [bandlessNames],
  )
  await database.query("INSERT INTO feature_version_lut VALUES (1, '27.5.7a31')")
  return database
}

/** One pass of the survey's step over one object. */
export interface Pass {
  readonly oid: string
  /** by the model's name; null is stored as NULL */
  readonly values: Readonly<Record<string, number | null>>
  /** null: no date */
  readonly date?: string | null
  readonly version?: number
  readonly sid?: number
}

/** Writes as the survey does: what a pass does not give stays as an earlier one left it. */
export async function storePass(database: TestDatabase, pass: Pass): Promise<void> {
  const { oid, values, date = '2026-08-01', version = 1, sid = 0 } = pass
  const stored = Object.keys(values).map(storedName)
  await database.query(
    `INSERT INTO feature SELECT $1, $2, id, band, $3, value, $4 FROM unnest($5::int2[], $6::int2[], $7::float8[]) x(id, band, value)
     ON CONFLICT (oid, sid, feature_id, band) DO UPDATE SET value = excluded.value, version = excluded.version, updated_date = excluded.updated_date`,
    [
      ...[String(surveyOid(oid)), sid, version, date],
      stored.map(({ name }) => bandlessNames.indexOf(name)),
      stored.map(({ band }) => band),
      Object.values(values),
    ],
  )
}
