// Makes samples/ again: `node scripts/make-samples.js REFERENCE`, where REFERENCE holds features/ztf-8k.parquet, its labels
// and the pickles of sklearn-1.5.2/. Needs a built dist/.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'

const objectsOfEachClass = 20
const reference = process.argv[2]
if (!reference) throw new Error('usage: node scripts/make-samples.js REFERENCE')
const root = fileURLToPath(new URL('..', import.meta.url))
const samples = `${root}samples`
const text = (path) => `'${path.replaceAll("'", "''")}'`

mkdirSync(samples, { recursive: true })
const connection = await (await DuckDBInstance.create(':memory:')).connect()
// the first objects of each class, in the order of the file: every class of the survey is there
await connection.run(`
  CREATE TABLE label AS SELECT * FROM read_csv(${text(`${reference}/features/ztf-8k-labels.csv`)});
  CREATE TABLE feature AS SELECT * FROM read_parquet(${text(`${reference}/features/ztf-8k.parquet`)});
  CREATE TABLE chosen AS
    SELECT feature.rowid AS place, label.* FROM feature JOIN label USING (oid)
    QUALIFY row_number() OVER (PARTITION BY "classALeRCE" ORDER BY feature.rowid) <= ${objectsOfEachClass};
`)
const rows = 'SELECT feature.* FROM feature JOIN chosen USING (oid) ORDER BY place'
await connection.run(`
  COPY (${rows}) TO ${text(`${samples}/ztf-300.parquet`)} (FORMAT parquet, COMPRESSION zstd);
  COPY (${rows}) TO ${text(`${samples}/ztf-300.csv.gz`)} (FORMAT csv, COMPRESSION gzip);
  COPY (SELECT oid, "classALeRCE" AS class FROM chosen ORDER BY place) TO ${text(`${samples}/ztf-300-labels.csv`)} (FORMAT csv);
`)

rmSync(`${samples}/model`, { recursive: true, force: true })
const pickles = `${reference}/sklearn-1.5.2`
const name = ['--name', 'sample_forest', '--version', '1.5.2']
const importing = [
  'model',
  'import',
  pickles,
  ...name,
  '--golden',
  pickles,
  '--profile',
  `${reference}/features/ztf-8k.parquet`,
  '--out',
  `${samples}/model`,
]
execFileSync(process.execPath, [`${root}bin/run.js`, ...importing], { stdio: 'inherit' })
