// The night watch on replays: what it finds, how soon, how often it is wrong, and what it costs.
//   npx tsx test/bench/night-watch.ts BUNDLE ROWS.parquet [SEEDS] [FIRST_SEED]
import { openConnector } from '../../src/index.ts'
import { openClassifier } from '../../src/model/open.ts'
import { randomNumbers } from '../../src/model/bundle/golden.ts'
import { familiesOf } from '../../src/model/profile/feature-families.ts'
import type { Alarm } from '../../src/model/watch/alarm.ts'
import { nightText } from '../../src/model/watch/learned-form.ts'
import { addNight, emptyCounts, type LearnedNight } from '../../src/model/watch/learned-nights.ts'
import { createNightWatch, type NightWatch } from '../../src/model/watch/night-watch.ts'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import { readOptions } from '../../src/pipeline/source.ts'

const [bundle, file, seedCount = '5', firstSeed = '1'] = process.argv.slice(2) as [string, string, string?, string?]
const seeds = Array.from({ length: Number(seedCount) }, (_, i) => Number(firstSeed) + i)
const batchRows = 100

/** Rows with their answers. */
interface Rows {
  readonly oids: readonly string[]
  readonly matrix: Float32Array
  readonly probabilities: readonly Float64Array[]
}

const classifier = await openClassifier(bundle, { threads: 1 })
const { features, preprocessing, taxonomy } = classifier
const { missing } = preprocessing
const width = features.length
const good = await answered(await readRows())
const total = good.oids.length
const families = familiesOf(features)
const top = taxonomy.levels.findIndex(({ branch }, index) => index > 0 && branch === null)
const topWidth = taxonomy.levels[top]!.classes.length
const topClasses = Array.from({ length: total }, (_, row) => {
  const own = good.probabilities[top]!.subarray(row * topWidth, (row + 1) * topWidth)
  return own.indexOf(Math.max(...own))
})

async function readRows(): Promise<Pick<Rows, 'oids' | 'matrix'>> {
  const source = await openConnector(file).source(readOptions({ ...classifier, batchSize: 1000 }))
  const oids: string[] = []
  const parts: Float32Array[] = []
  for await (const { batch } of source.deliveries(new AbortController().signal)) {
    oids.push(...batch.oids)
    parts.push(Float32Array.from(batch.matrix))
  }
  await source.close()
  const matrix = new Float32Array(oids.length * width)
  let at = 0
  for (const part of parts) {
    matrix.set(part, at)
    at += part.length
  }
  return { oids, matrix }
}

async function answered({ oids, matrix }: Pick<Rows, 'oids' | 'matrix'>): Promise<Rows> {
  const probabilities = taxonomy.levels.map(({ classes }) => new Float64Array(oids.length * classes.length))
  for (let from = 0; from < oids.length; from += 1000) {
    const some = oids.slice(from, from + 1000)
    const rows = matrix.slice(from * width, (from + some.length) * width)
    const answer = await classifier.classify({
      rowCount: some.length,
      oids: some,
      candids: some.map(() => null),
      matrix: rows,
    })
    answer.probabilities.forEach((level, l) => probabilities[l]!.set(level, from * taxonomy.levels[l]!.classes.length))
  }
  return { oids, matrix, probabilities }
}

/** The rows with a change, and what the model says of them then. */
function changed(change: (value: number, f: number) => number, which: readonly number[]): Promise<Rows> {
  const matrix = good.matrix.slice()
  for (let row = 0; row < total; row++) {
    for (const f of which) {
      const value = matrix[row * width + f]!
      matrix[row * width + f] = change(value, f)
    }
  }
  return answered({ oids: good.oids, matrix })
}

const toNull = (): number => missing
const scaled = (value: number): number => (value === missing ? value : Math.fround(value * 1000))
const negated = (value: number): number => (value === missing ? value : -value)

type Random = () => number

function shuffled(length: number, random: Random): number[] {
  const order = Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[order[i], order[j]] = [order[j]!, order[i]!]
  }
  return order
}

/** Rows drawn so that the top class has these shares. */
function drawn(count: number, shares: readonly number[], random: Random): number[] {
  const byClass = shares.map((_, c) => topClasses.flatMap((one, row) => (one === c ? [row] : [])))
  return Array.from({ length: count }, () => {
    let [c, rest] = [0, random()]
    while (c < shares.length - 1 && rest >= shares[c]!) rest -= shares[c++]!
    const rows = byClass[c]!
    return rows[Math.floor(random() * rows.length)]!
  })
}

interface Told {
  readonly alarm: Alarm
  /** objects that had been seen when it was told */
  readonly at: number
}

function openWatch(told: Told[], nights: readonly LearnedNight[] = []): { watch: NightWatch; feed: Feed } {
  let seen = 0
  const watch = createNightWatch({
    ...{ features, missing, taxonomy, profile: undefined },
    memory: { nights, alarms: [], accepted: new Set() },
    onChange: ({ event, alarm }) => void (event === 'begun' && told.push({ alarm, at: seen })),
  })
  return {
    watch,
    feed(rows, order, mjd) {
      for (let from = 0; from < order.length; from += batchRows) {
        const some = order.slice(from, from + batchRows)
        const matrix = new Float32Array(some.length * width)
        some.forEach((row, i) => matrix.set(rows.matrix.subarray(row * width, (row + 1) * width), i * width))
        const oids = some.map((row) => rows.oids[row]!)
        const ids = {
          rowCount: some.length,
          oids,
          candids: some.map(() => null),
          ...(mjd === undefined ? {} : { mjds: new Float64Array(some.length).fill(mjd) }),
        }
        seen += some.length
        watch.see({ ...ids, matrix })
        const probabilities = taxonomy.levels.map(({ classes }, l) => {
          const own = new Float64Array(some.length * classes.length)
          some.forEach((row, i) =>
            own.set(
              rows.probabilities[l]!.subarray(row * classes.length, (row + 1) * classes.length),
              i * classes.length,
            ),
          )
          return own
        })
        watch.seeAnswers({ ...ids, taxonomy, classifierVersion: '', probabilities })
      }
    },
  }
}

type Feed = (rows: Rows, order: readonly number[], mjd?: number) => void

interface Outcome {
  readonly what: string
  readonly isFound: boolean
  readonly toldAfter: number
  readonly firstOff: number
  readonly others: number
}

/**
 * One replay: good rows, learned anew, then bad ones from a random place on.
 *
 * @param isIt whether an alarm is the one that was planted
 */
function replay(what: string, bad: Rows, seed: number, isIt: (alarm: Alarm) => boolean): Outcome {
  const random = randomNumbers(seed * 7919)
  const told: Told[] = []
  const { watch, feed } = openWatch(told)
  // learned from 2,000 at least; a thousand at least are left
  const place = 2_500 + Math.floor(random() * (total - 4_500))
  const order = shuffled(total, random)
  feed(good, order.slice(0, place))
  feed(bad, order.slice(place))
  watch.finish()
  const found = told.find(({ alarm }) => isIt(alarm))
  return {
    what,
    isFound: found !== undefined,
    toldAfter: (found?.at ?? Infinity) - place,
    firstOff: found ? Math.abs(found.alarm.first.number - 1 - place) : Infinity,
    others: told.length - (found ? 1 : 0),
  }
}

const names = (which: readonly number[]): string[] => which.map((f) => features[f]!)

async function plantedFamilies(): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (const { name, features: which } of families) {
    const bad = await changed(toNull, which)
    for (const seed of seeds) {
      outcomes.push(
        replay(
          `null: ${name}`,
          bad,
          seed,
          (alarm) => alarm.kind === 'missing' && alarm.families.length === 1 && alarm.families[0] === name,
        ),
      )
    }
  }
  return outcomes
}

async function plantedUnits(): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const size = (f: number): number => median(columnOf(f).map(Math.abs))
  const positive = features.flatMap((_, f) => (columnOf(f).every((value) => value > 0) ? [f] : []))
  for (const seed of seeds) {
    const random = randomNumbers(seed * 104_729)
    const usable = features.flatMap((_, f) => (size(f) > 0 ? [f] : []))
    const scaledFeature = usable[Math.floor(random() * usable.length)]!
    const negatedFeature = positive[Math.floor(random() * positive.length)]!
    for (const [kind, change, f] of [
      ['× 1000', scaled, scaledFeature],
      ['negated', negated, negatedFeature],
    ] as const) {
      const [named] = names([f])
      const bad = await changed(change, [f])
      outcomes.push(
        replay(`${kind}: ${named}`, bad, seed, (alarm) => alarm.kind === 'values' && alarm.features.includes(named!)),
      )
    }
  }
  return outcomes
}

function columnOf(f: number): number[] {
  return Array.from({ length: total }, (_, row) => good.matrix[row * width + f]!).filter(
    (value) => value !== missing && value === value,
  )
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

/** The share of the largest top class is 70 %, then 37 %. */
function plantedMixes(): Outcome[] {
  const largest = Array.from({ length: topWidth }, (_, c) => topClasses.filter((one) => one === c).length)
  const c = largest.indexOf(Math.max(...largest))
  const mix = (share: number): number[] =>
    largest.map((count, i) => (i === c ? share : ((1 - share) * count) / (total - largest[c]!)))
  return seeds.map((seed) => {
    const random = randomNumbers(seed * 15_485_863)
    const told: Told[] = []
    const { watch, feed } = openWatch(told)
    const place = 2_500 + Math.floor(random() * 10_000)
    feed(good, drawn(place, mix(0.7), random))
    feed(good, drawn(4_000, mix(0.37), random))
    watch.finish()
    const found = told.find(({ alarm }) => alarm.kind === 'classes')
    return {
      what: `${taxonomy.levels[top]!.classes[c]} from 70 to 37 %`,
      isFound: found !== undefined,
      toldAfter: (found?.at ?? Infinity) - place,
      firstOff: found ? Math.abs(found.alarm.first.number - 1 - place) : Infinity,
      others: told.length - (found ? 1 : 0),
    }
  })
}

/** A hundred good nights: each top class's share moves by up to a fifth, by season, by moon, and by chance. */
function goodNights(seed: number): { readonly alarms: readonly Told[]; readonly nights: number } {
  const random = randomNumbers(seed * 32_452_843)
  const told: Told[] = []
  const { watch, feed } = openWatch(told)
  const counts = Array.from({ length: topWidth }, (_, c) => topClasses.filter((one) => one === c).length / total)
  const [season, moon] = [random() * 100, random() * 29]
  for (let night = 0; night < 100; night++) {
    const waves = counts.map((_, c) => {
      const slow = Math.sin((2 * Math.PI * (night + season)) / 365 + c * 2.1)
      const fast = Math.sin((2 * Math.PI * (night + moon)) / 29.5 + c * 4.2)
      return Math.max(-1, Math.min(1, slow / 2 + fast / 3 + (random() - 0.5)))
    })
    const shares = counts.map((share, c) => share * (1 + waves[c]! / 5))
    const sum = shares.reduce((a, b) => a + b, 0)
    const objects = 3_000 + Math.floor(random() * 4_000)
    feed(
      good,
      drawn(
        objects,
        shares.map((share) => share / sum),
        random,
      ),
      61_000 + night + 0.3,
    )
  }
  watch.finish()
  return { alarms: told, nights: 100 }
}

/** Bytes of a state of a year: 365 nights of 20,000 objects, rolled up as they get old. */
function stateOfAYear(): number {
  const { watch, feed } = openWatch([])
  const random = randomNumbers(5)
  feed(
    good,
    drawn(
      20_000,
      Array.from({ length: topWidth }, (_, c) => topClasses.filter((one) => one === c).length / total),
      random,
    ),
    61_000.3,
  )
  watch.finish()
  const [learned] = watch.takeLearned()
  let nights: LearnedNight[] = []
  for (let night = 0; night < 400; night++)
    nights = addNight(nights, night, learned?.counts ?? emptyCounts(watch.shape))
  return nights.reduce((sum, night) => sum + nightText(night).length, 0)
}

/** Microseconds of processor time an object, with and without the watch's eyes on it, in turns. */
async function cost(): Promise<{ readonly without: number; readonly watch: number }> {
  const order = shuffled(total, randomNumbers(3))
  const without: number[] = []
  const watched: number[] = []
  const { feed } = openWatch([])
  const gather = openGatherer()
  for (let turn = 0; turn < 9; turn++) {
    without.push(await cpu(() => answered(good)))
    const [all, own] = [await cpu(() => feed(good, order)), await cpu(() => gather(order))]
    watched.push(all - own)
  }
  return { without: median(without), watch: median(watched) }
}

/** What the replay itself costs: putting batches together. */
function openGatherer(): (order: readonly number[]) => void {
  return (order) => {
    for (let from = 0; from < order.length; from += batchRows) {
      const some = order.slice(from, from + batchRows)
      const matrix = new Float32Array(some.length * width)
      some.forEach((row, i) => matrix.set(good.matrix.subarray(row * width, (row + 1) * width), i * width))
      taxonomy.levels.forEach(({ classes }, l) => {
        const own = new Float64Array(some.length * classes.length)
        some.forEach((row, i) =>
          own.set(
            good.probabilities[l]!.subarray(row * classes.length, (row + 1) * classes.length),
            i * classes.length,
          ),
        )
      })
    }
  }
}

async function cpu(work: () => unknown): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / total
}

function line(name: string, outcomes: readonly Outcome[], most: number): void {
  const isGood = ({ isFound, toldAfter, firstOff }: Outcome): boolean =>
    isFound && toldAfter <= most && firstOff <= 1_000
  const wrong = outcomes.filter((one) => !isGood(one))
  const toldAfter = outcomes.map((one) => one.toldAfter)
  const off = outcomes.map(({ firstOff }) => firstOff)
  const others = outcomes.reduce((sum, one) => sum + one.others, 0)
  process.stdout.write(
    `| ${name} | ${outcomes.length - wrong.length} of ${outcomes.length} | ${median(toldAfter)}, at most ${Math.max(...toldAfter)} | ${median(off)}, at most ${Math.max(...off)} | ${others} |\n`,
  )
  for (const { what, toldAfter: told, firstOff } of wrong)
    process.stdout.write(`  missed: ${what} (told after ${told}, first off by ${firstOff})\n`)
}

process.stdout.write(`${total} rows, ${width} features, seeds ${seeds.join()}\n`)
process.stdout.write(
  '| planted | found in time | objects until it was told | first object off by | other alarms |\n|---|---|---|---|---|\n',
)
line('a family goes null', await plantedFamilies(), 1_000)
line('a unit changes', await plantedUnits(), 1_000)
line('the mix of a branch falls from 70 to 37 %', plantedMixes(), 2_000)
for (const seed of seeds.slice(0, Number(process.env['GOOD'] ?? 5))) {
  const { alarms, nights } = goodNights(seed)
  process.stdout.write(`good nights, seed ${seed}: ${alarms.length} alarms in ${nights}\n`)
  for (const { alarm, at } of alarms) process.stdout.write(`  at ${at}: ${alarm.message}\n`)
}
process.stdout.write(`state of a year: ${(stateOfAYear() / 1e6).toFixed(1)} MB\n`)
const { without, watch } = await cost()
process.stdout.write(`µs an object: classifying ${without.toFixed(1)}, watching ${watch.toFixed(2)}\n`)
await (classifier satisfies Classifier).close()
