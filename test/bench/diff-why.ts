// Whether `lcclf diff --why` names what was planted. In each object one family of features, or two, is made null, multiplied
// by 1000 or negated; of the objects that changed class the cause must be what was planted: of two
// families one may be enough. lcclf runs as a user runs it, and
// is no judge of itself: what its causes promise is made into features, and these are classified.
//
//     npm run bench -- --diff-why --model BUNDLE --rows FEATURES.parquet
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { readManifest } from '../../src/model/bundle/read-bundle.ts'
import { familiesOf } from '../../src/model/profile/feature-families.ts'

const bin = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const seeds = [1, 2, 3, 4, 5]
/** how many families are planted, and what share of itself each value is off by, at most, as after another detection */
const cases = [
  { title: 'one family', count: 1, noise: 0 },
  { title: 'two families', count: 2, noise: 0 },
  { title: 'one family, 1 % noise in all', count: 1, noise: 0.01 },
] as const

type Trial = Awaited<ReturnType<typeof openTrial>>

/** Prints a line for each case and seed. */
export async function benchDiffWhy(model: string, rows: string): Promise<void> {
  const { manifest } = await readManifest(model)
  const families = familiesOf(manifest.features).map(({ name, features }) => {
    return { name, features: features.map((feature) => manifest.features[feature]!) }
  })
  console.log(
    `${manifest.name} ${manifest.version}: ${manifest.features.length} features, ${families.length} families\n`,
  )
  console.log('| planted | seed | changed class | named | restored | no smaller set | CPU ms an object |')
  console.log('|---|---|---|---|---|---|---|')
  for (const { title, count, noise } of cases) {
    for (const seed of seeds) {
      const trial = await openTrial(model, families)
      try {
        await plant(trial, { rows, count, noise, seed })
        const cpu = explain(trial)
        const found = await judge(trial)
        const percent = (part: number): string => `${((100 * part) / found.objects).toFixed(2)} %`
        const cells = [percent(found.named), percent(found.restored), percent(found.objects - found.larger)]
        console.log(
          `| ${title} | ${seed} | ${found.objects} | ${cells.join(' | ')} | ${((1000 * cpu) / found.explained).toFixed(1)} |`,
        )
      } finally {
        trial.close()
      }
    }
  }
}

async function openTrial(model: string, families: readonly { readonly name: string; readonly features: string[] }[]) {
  const work = mkdtempSync(join(tmpdir(), 'lcclf-bench-why-'))
  const instance = await DuckDBInstance.create(':memory:')
  const db = await instance.connect()
  const at = (file: string): string => join(work, file)
  return {
    model,
    families,
    at,
    ask: async (sql: string): Promise<unknown[][]> => (await db.run(sql)).getRows(),
    /** Writes rows, lets lcclf classify them, and answers the SQL of the results. */
    async classified(file: string, sql: string): Promise<string> {
      await db.run(`COPY (${sql}) TO '${at(`${file}.parquet`)}' (FORMAT parquet)`)
      const [input, output] = [at(`${file}.parquet`), at(`${file}-classes.parquet`)]
      execFileSync(process.execPath, [bin, 'classify', input, '--model', model, '--to', output, '-q'])
      return `'${output}'`
    },
    close(): void {
      db.closeSync()
      instance.closeSync()
      rmSync(work, { recursive: true, force: true })
    },
  }
}

const column = (text: string): string => `"${text.replaceAll('"', '""')}"`
const text = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** Old rows, rows with the noise alone, and rows with what is planted: classified all. */
async function plant(
  { families, ask, classified }: Trial,
  { rows, count, noise, seed }: { rows: string; count: number; noise: number; seed: number },
): Promise<void> {
  const drawn = (what: string): string => `((hash(oid || ${text(`${what} ${seed}`)}) % 1000003)::BIGINT)`
  const names = `[${families.map(({ name }) => text(name)).join(', ')}]`
  await ask(`CREATE TABLE plants AS SELECT *, CASE WHEN g IS NULL THEN ${names}[f + 1]
      ELSE ${names}[least(f, g) + 1] || ' + ' || ${names}[greatest(f, g) + 1] END AS planted
    FROM (SELECT *, ${count === 1 ? 'NULL' : `(f + 1 + ${drawn('second')} % ${families.length - 1}) % ${families.length}`} AS g
      FROM (SELECT oid, ${drawn('first')} % ${families.length} AS f, ${drawn('kind')} % 3 AS kind FROM '${rows}'))`)
  const noisy = (feature: string): string =>
    noise === 0
      ? `r.${column(feature)}`
      : `r.${column(feature)} * (1 + ${noise} * (${drawn(feature).replace('oid', 'r.oid')} / 500001.0 - 1))`
  const selected = (expression: (feature: string, family: number) => string): string => {
    const features = families.flatMap((family, place) =>
      family.features.map((feature) => `${expression(feature, place)} AS ${column(feature)}`),
    )
    return `SELECT r.oid, ${features.join(', ')} FROM '${rows}' r JOIN plants p USING (oid)`
  }
  const old = await classified(
    'old',
    selected((feature) => `r.${column(feature)}`),
  )
  const alone = await classified(
    'noisy',
    selected((feature) => noisy(feature)),
  )
  const planted = (feature: string, place: number): string => {
    const value = noisy(feature)
    return `CASE WHEN p.f = ${place} OR p.g = ${place}
      THEN CASE p.kind WHEN 0 THEN NULL WHEN 1 THEN 1000 * ${value} ELSE -${value} END ELSE ${value} END`
  }
  const fresh = await classified('new', selected(planted))
  // what the noise alone changes was not planted
  await ask(`CREATE TABLE changed AS SELECT oid, o.class AS class, p.planted FROM ${old} o JOIN ${alone} a USING (oid)
    JOIN ${fresh} n USING (oid) JOIN plants p USING (oid) WHERE o.class = a.class AND o.class <> n.class`)
}

/** Runs `lcclf diff --why` and answers its processor seconds. */
function explain({ model, at }: Trial): number {
  const features = ['--features-a', at('old.parquet'), '--features-b', at('new.parquet'), '--model', model]
  const results = [at('old-classes.parquet'), at('new-classes.parquet')]
  const args = [process.execPath, bin, 'diff', ...results, '--why', ...features, '--to', at('why.parquet')]
  const { status, stderr } = spawnSync('bash', ['-c', 'TIMEFORMAT="%U %S"; time "$@" > /dev/null', 'bash', ...args], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(stderr)
  const [user, system] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number)
  return user! + system!
}

/** How many objects have the planted cause, how many causes hold what they promise, and of how many a single family would do. */
async function judge({ families, ask, classified, at }: Trial) {
  const why = `'${at('why.parquet')}'`
  const joined = `${why} w JOIN changed c USING (oid) JOIN '${at('old.parquet')}' o USING (oid) JOIN '${at('new.parquet')}' n USING (oid)`
  const mixed = (isOld: (name: string, place: number) => string): string =>
    families
      .flatMap(({ name, features }, place) =>
        features.map((feature) => {
          const own = column(feature)
          return `CASE WHEN ${isOld(name, place)} THEN o.${own} ELSE n.${own} END AS ${own}`
        }),
      )
      .join(', ')
  const isOfCause = (name: string): string => `list_contains(string_split(w.families, ' + '), ${text(name)})`
  const restored = await classified(
    'restored',
    `SELECT w.oid AS oid, ${mixed(isOfCause)} FROM ${joined} WHERE w.kind = 'features'`,
  )
  const [[objects, named, back, explained]] = (await ask(`SELECT count(*), 
    count(*) FILTER (w.kind = 'features' AND list_has_all(string_split(c.planted, ' + '), string_split(w.families, ' + '))),
    count(*) FILTER (r.class = c.class), (SELECT count(*) FROM ${why})
    FROM changed c JOIN ${why} w USING (oid) LEFT JOIN ${restored} r USING (oid)`)) as [bigint[]]
  const several = `contains(w.families, ' + ')`
  const [[count]] = (await ask(`SELECT count(*) FROM ${joined} WHERE ${several}`)) as [[bigint]]
  let larger = 0
  if (count > 0n) {
    const single = await classified(
      'single',
      `SELECT w.oid || '|' || f.place AS oid, ${mixed((_, place) => `f.place = ${place}`)}
        FROM ${joined}, range(${families.length}) f(place) WHERE ${several}`,
    )
    const [[wrong]] = (await ask(`SELECT count(DISTINCT c.oid) FROM ${single} s JOIN changed c
      ON c.oid = string_split(s.oid, '|')[1] WHERE s.class = c.class`)) as [[bigint]]
    larger = Number(wrong)
  }
  return {
    objects: Number(objects),
    named: Number(named),
    restored: Number(back),
    /** objects of which a single family would have been enough, and more were named */
    larger,
    explained: Number(explained),
  }
}
