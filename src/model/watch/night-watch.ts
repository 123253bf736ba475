// The night watch: learns what is usual, and says what is not, and since which object.
import type { ClassifiedBatch, FeatureBatch, Taxonomy } from '../../pipeline/batch.ts'
import type { InputProfile } from '../bundle/input-profile.ts'
import { familiesOf, type FamilyNames } from '../profile/feature-families.ts'
import type { AlarmChange, WatchedObject, WatchView } from './alarm.ts'
import { createAlarmBook, type SavedAlarm } from './alarm-book.ts'
import { createAnswerBlocks, marginEdges, shapeOf } from './answer-blocks.ts'
import { countedRows, createInputBlocks, groupCount, keptBlocks } from './input-blocks.ts'
import { addNight, emptyCounts, forgetIn, type LearnedNight, type NightCounts } from './learned-nights.ts'
import { blockRows, createTests, thresholdFor } from './sequential-tests.ts'
import { fewestObjects, type Usual, usualShares, usualValues } from './usual.ts'
import { binCount, sparseOf } from './value-bins.ts'

/** odds of the alternatives, as factors of the band's end */
const bothSides = [3, 30, 1 / 3, 1 / 30]
/** of classes, of which the smaller shifts matter too */
const classSides = [1.5, 4, 30, 1 / 1.5, 1 / 4, 1 / 30]
const above = [3, 12]
/** objects after which what was seen joins what is usual */
const portionObjects = 10_000
/** objects after which where their values lie does: it takes longer */
const sketchObjects = 50_000
/** blocks of which the first object is remembered: 100,000 objects */
const keptBegins = 1_000
const shownFamilies = 40

/** What a watch begins with, and what becomes of what it learns. */
export interface WatchMemory {
  readonly nights: readonly LearnedNight[]
  readonly alarms: readonly SavedAlarm[]
  /** features and levels of which the profile is not asked any more */
  readonly accepted: ReadonlySet<string>
}

export const noMemory: WatchMemory = { nights: [], alarms: [], accepted: new Set() }

export type NightWatch = ReturnType<typeof createNightWatch>

/**
 * Watches one model's inputs and answers, a hundred objects at a time.
 *
 * @param options `missing`: what stands for a missing value; `families`: the user's own; `profile`: what is usual until enough
 *   was learned; `inputVersion`: of the features, or `unknown`
 */
export function createNightWatch(options: {
  readonly features: readonly string[]
  readonly missing: number
  readonly taxonomy: Taxonomy
  readonly families?: FamilyNames
  readonly profile: InputProfile | undefined
  readonly inputVersion?: string
  readonly memory?: WatchMemory
  readonly onChange: (change: AlarmChange) => void
}) {
  const { features, missing, taxonomy, profile, inputVersion = 'unknown', memory = noMemory, onChange } = options
  const shape = shapeOf(features, taxonomy)
  const families = familiesOf(features, options.families)
  /** positions of a night are those of its fields */
  const moving = new Set(families.find(({ name }) => name === 'position')?.features)
  const width = features.length
  const classCount = shape.levels.reduce((sum, { classes }) => sum + classes.length, 0)
  const threshold = thresholdFor(
    width * bothSides.length + width * groupCount * above.length + classCount * classSides.length,
  )
  const tests = {
    missing: createTests(width, bothSides, threshold),
    values: createTests(width * groupCount, above, threshold),
    classes: createTests(classCount, classSides, threshold),
  }
  const everyCounted = new Uint16Array(width).fill(countedRows)
  const begins = { inputs: new Map<number, WatchedObject>(), answers: new Map<number, WatchedObject>() }
  const blocks = { inputs: 0, answers: 0 }
  /** blocks of which everything is learned */
  let learnedBlocks = 0
  let seen = 0
  let answered = 0
  let night: number | undefined
  let nights = [...memory.nights]
  let accepted = memory.accepted
  /** learned and not yet taken by whoever keeps it */
  let untaken: { readonly night: number; readonly counts: NightCounts }[] = []
  let usual: Usual = { objects: 0, missing: [], classes: [], values: [] }
  /** features that are in the sketches as they may not be usual */
  const doubted = new Set<number>()
  let latest: WatchedObject | undefined

  const inputs = createInputBlocks({ width, missing }, (block) => {
    const at = blocks.inputs++
    take('missing', tests.missing.see(block.missing, everyCounted, at), at)
    take('values', tests.values.see(block.groups, block.present, at, groupCount), at)
    book.tellInputs(at)
  })
  const answers = createAnswerBlocks(taxonomy, shape, (hits, trials) => {
    const at = blocks.answers++
    take('classes', tests.classes.see(hits, trials, at), at)
    book.tellAnswers(at)
  })
  const book = createAlarmBook({
    ...{ shape, families, inputVersion, tests, inputs, answers, onChange },
    usual: () => usual,
    objects: () => blocks.inputs * blockRows,
    objectAt: (side, block) => begins[side].get(block) ?? nearest(side, block),
  })

  function take(
    bank: keyof typeof tests,
    { fired, returned }: { fired: number[]; returned: number[] },
    at: number,
  ): void {
    for (const series of fired) book.find(bank, series, at)
    for (const series of returned) book.returned(bank, series, at)
  }

  /** The oldest that is remembered, or the object that was seen last. */
  function nearest(side: keyof typeof begins, block: number): WatchedObject {
    const [oldest] = begins[side].keys()
    return begins[side].get(oldest !== undefined && block < oldest ? oldest : blocks[side] - 1) ?? latest!
  }

  function remember(side: keyof typeof begins, object: WatchedObject): void {
    begins[side].set(blocks[side], object)
    begins[side].delete(blocks[side] - keptBegins)
  }

  /** Bands of all tests, by what is usual now. */
  function refresh(): void {
    usual = { ...usual, ...usualShares(source()) }
    usual.missing.forEach(({ band }, f) => tests.missing.setBand(f, band))
    usual.classes.forEach((known, series) => tests.classes.setBand(series, known?.band))
  }

  function refreshValues(): void {
    usual = { ...usual, values: usualValues(source()) }
    usual.values.forEach((known, f) => {
      if (known) inputs.setEdges(f, known.edges)
      for (let g = 0; g < groupCount; g++)
        tests.values.setBand(f * groupCount + g, moving.has(f) ? undefined : known?.bands[g])
    })
  }

  const source = () => ({ shape, nights, now: night ?? nights.at(-1)?.night ?? 0, profile, accepted })

  /**
   * What was seen joins what is usual, but for what is not as usual, or might not be; values do at the end of a night, and
   * after many objects.
   */
  function learn(isEnd: boolean): void {
    const { portion, sketches } = inputs
    const classes = answers.takePortion()
    const objects = (blocks.inputs - learnedBlocks) * blockRows
    learnedBlocks = blocks.inputs
    if (objects === 0) return
    const withheld = book.takeWithheld()
    const isTaught = features.map((_, f) => !withheld.features.has(f) && !isDoubtful(f))
    isTaught.forEach((yes, f) => yes || doubted.add(f))
    const hasValues = isEnd || sketches.objects >= sketchObjects || usual.objects < portionObjects
    const counts: NightCounts = {
      ...emptyCounts(shape),
      objects,
      seen: Float64Array.from(isTaught, (yes) => (yes ? portion.objects : 0)),
      missing: Float64Array.from(isTaught, (yes, f) => (yes ? portion.missing[f]! : 0)),
      ...(hasValues ? { values: sparseOf(sketches.values, binCount, (f) => !doubted.has(f)) } : {}),
      ...(withheld.hasClasses || areClassesDoubtful() ? {} : { classes }),
    }
    // where nothing says which night it is, each portion counts as one
    const place = night ?? (nights.at(-1)?.night ?? -1) + 1
    nights = addNight(nights, place, counts)
    untaken.push({ night: place, counts })
    inputs.clearPortion()
    refresh()
    if (!hasValues) return
    doubted.clear()
    inputs.clearSketches()
    refreshValues()
  }

  function isDoubtful(f: number): boolean {
    if (tests.missing.strongest(f).share > 0.5) return true
    return Array.from({ length: groupCount }, (_, g) => f * groupCount + g).some(
      (series) => tests.values.strongest(series).share > 0.5,
    )
  }

  function areClassesDoubtful(): boolean {
    for (let series = 0; series < classCount; series++) if (tests.classes.strongest(series).share > 0.5) return true
    return false
  }

  function enter(batch: FeatureBatch): void {
    const newest = nightOf(batch)
    // messages of two nights may come in turns around noon
    if (newest !== undefined && newest !== night && newest + 1 !== night) {
      if (night !== undefined) learn(true)
      night = newest
      refresh()
    }
    const enough = usual.objects < portionObjects ? fewestObjects : portionObjects
    if ((blocks.inputs - learnedBlocks) * blockRows >= enough) learn(false)
  }

  refresh()
  refreshValues()
  for (const saved of memory.alarms) book.restore(saved)
  return {
    /** Takes what is needed of a batch's features; call it before the classifier takes the matrix over. */
    see(batch: FeatureBatch): void {
      enter(batch)
      inputs.see(batch.matrix, batch.rowCount, (row) => {
        latest = objectOf(batch, row, seen + row + 1)
        remember('inputs', latest)
      })
      seen += batch.rowCount
    },
    seeAnswers(batch: ClassifiedBatch): void {
      answers.see(batch, (row) => remember('answers', objectOf(batch, row, answered + row + 1)))
      answered += batch.rowCount
    },
    /** Nothing more comes: what was found is told, and what was seen is learned. */
    finish(): void {
      book.finish(blocks.inputs - 1, blocks.answers - 1)
      learn(true)
    },
    shape,
    /** what was learned since it was last asked for */
    takeLearned() {
      const taken = untaken
      untaken = []
      return taken
    },
    /** It could not be kept. */
    returnLearned(taken: typeof untaken): void {
      untaken = [...taken, ...untaken]
    },
    savedAlarms: () => book.saved(),
    /** Others have learned too. @param known everything that is usual, with what was taken from here */
    setNights(known: readonly LearnedNight[]): void {
      nights = [...known]
      for (const { night: place, counts } of untaken) nights = addNight(nights, place, counts)
      refresh()
      refreshValues()
    },
    /** Somebody has said that what these alarms tell is usual: it is learned anew. */
    accept(ids: ReadonlySet<string>, names: ReadonlySet<string>): void {
      const told = book.alarms.filter(({ id }) => ids.has(id))
      if (told.length === 0) return
      accepted = new Set([...accepted, ...names])
      book.accept(ids, blocks.inputs)
      nights = forgotten(nights, told, features)
      untaken = []
      inputs.clearPortion()
      inputs.clearSketches()
      answers.takePortion()
      refresh()
      refreshValues()
    },
    /** objects seen and needed, as long as too few are known to judge by */
    get tooFew(): { readonly rows: number; readonly needed: number } | undefined {
      const isKnown = profile !== undefined || usual.objects >= fewestObjects
      return isKnown || seen === 0 ? undefined : { rows: seen, needed: fewestObjects }
    },
    /** objects that what is usual was learned from, in this process and before */
    get learned(): number {
      return usual.objects
    },
    view: (): WatchView => {
      const alarms = book.alarms
      const missingNow = new Set(alarms.filter(({ kind }) => kind === 'missing').flatMap((alarm) => alarm.features))
      const rate = (f: number): number => {
        const { hits, trials } = inputs.missingLately(f)
        return trials === 0 ? 0 : hits / trials
      }
      return {
        alarms,
        begun: book.begun,
        learned: usual.objects,
        familyNullRates: blocks.inputs === 0 ? new Map() : familyRates(families, rate),
        missingFeatures: new Map(features.flatMap((name, f) => (missingNow.has(name) ? [[name, rate(f)]] : []))),
        classShares: blocks.answers === 0 ? [] : sharesNow(shape, answers.lately),
        margins: { upTo: marginEdges, objects: [...answers.margins.objects], sum: answers.margins.sum },
      }
    },
  }
}

/** Nights without what accepted alarms are about. */
export function forgotten(
  nights: readonly LearnedNight[],
  alarms: readonly { readonly kind: string; readonly features: readonly string[] }[],
  features: readonly string[],
): LearnedNight[] {
  const places = new Set(alarms.flatMap((alarm) => alarm.features.map((name) => features.indexOf(name))))
  // classes follow from features: whatever is accepted, they are asked for anew
  return forgetIn(nights, places, true, binCount)
}

function familyRates(families: ReturnType<typeof familiesOf>, rate: (f: number) => number): Map<string, number> {
  const sorted = [...families].sort((a, b) => b.features.length - a.features.length)
  const shown = sorted.length <= shownFamilies ? sorted : sorted.slice(0, shownFamilies - 1)
  const rest = sorted.slice(shown.length).flatMap(({ features }) => features)
  const mean = (features: readonly number[]): number => features.reduce((sum, f) => sum + rate(f), 0) / features.length
  const rates = shown.map(({ name, features }): [string, number] => [name, mean(features)])
  return new Map(rest.length > 0 ? [...rates, ['others', mean(rest)]] : rates)
}

function sharesNow(
  { levels }: ReturnType<typeof shapeOf>,
  lately: (series: number, blocks?: number) => { readonly hits: number; readonly trials: number },
) {
  let series = 0
  return levels.slice(0, -1).flatMap(({ name, classes }) =>
    classes.flatMap((one) => {
      const { hits, trials } = lately(series++, keptBlocks)
      return trials === 0 ? [] : [{ level: name, class: one, share: hits / trials }]
    }),
  )
}

/** midnight of MJD, in milliseconds since 1970 */
const mjdZero = -3_506_716_800_000
const dayMs = 86_400_000
/** nights of the Americas end, and begin, around 18:00 UTC */
const rollOver = 0.25
/** objects of more nights in one batch are no night's */
const mostNights = 2

/** The night of the newest object of a batch: of its MJD, else of its message; undefined where nothing says so. */
function nightOf({ mjds, messages, rowCount }: FeatureBatch): number | undefined {
  if (rowCount === 0) return undefined
  if (mjds) {
    const known = mjds.filter((mjd) => mjd === mjd)
    if (known.length > 0) {
      const newest = known.reduce((a, b) => Math.max(a, b))
      return newest - known.reduce((a, b) => Math.min(a, b)) > mostNights ? undefined : Math.floor(newest + rollOver)
    }
  }
  const message = messages?.[rowCount - 1]
  return message && Math.floor((Number(message.timestamp) - mjdZero) / dayMs + rollOver)
}

function objectOf(
  { oids, candids, mjds, messages }: Pick<FeatureBatch, 'oids' | 'candids' | 'mjds' | 'messages'>,
  row: number,
  number: number,
): WatchedObject {
  const mjd = mjds?.[row]
  const message = messages?.[row]
  const milliseconds = mjd === undefined || mjd !== mjd ? Number(message?.timestamp ?? NaN) : mjdZero + mjd * dayMs
  // beyond what a date can be
  const isDate = Math.abs(milliseconds) < 8.64e15
  return {
    oid: oids[row] ?? '',
    candid: candids[row]?.toString() ?? null,
    number,
    time: isDate ? new Date(milliseconds).toISOString() : null,
    message: message ? { topic: message.topic, partition: message.partition, offset: Number(message.offset) } : null,
  }
}
