// The alarms that are open: told once, with what follows from them, until everything is as usual again.
import { createHash, randomBytes } from 'node:crypto'
import type { FeatureFamily } from '../profile/feature-families.ts'
import type { Alarm, AlarmChange, AlarmKind, ShareShift, WatchedObject } from './alarm.ts'
import { classesText, consequenceText, endText, goneOn, missingText, over, valuesText } from './alarm-text.ts'
import type { AnswerBlocks } from './answer-blocks.ts'
import { beginOf, causesOf, type Finding, mayFollow } from './findings.ts'
import { groupCount, type InputBlocks } from './input-blocks.ts'
import type { WatchShape } from './learned-nights.ts'
import type { SequentialTests } from './sequential-tests.ts'
import type { Usual } from './usual.ts'

/** What is said of a cause is taken from these. */
interface FactsContext {
  readonly shape: WatchShape
  readonly families: readonly FeatureFamily[]
  readonly inputVersion: string
  readonly inputs: InputBlocks
  readonly answers: AnswerBlocks
  readonly usual: () => Usual
  /** objects seen in this process */
  readonly objects: () => number
  /** the first of a block */
  readonly objectAt: (side: 'inputs' | 'answers', block: number) => WatchedObject
}

/** What the book needs to know of the watch. */
export interface BookContext extends FactsContext {
  readonly tests: Readonly<Record<'missing' | 'values' | 'classes', SequentialTests>>
  readonly onChange: (change: AlarmChange) => void
}

/** An open alarm as a state keeps it: its findings by name. */
export interface SavedAlarm {
  readonly alarm: Alarm
  readonly findings: readonly SavedFinding[]
}

export interface SavedFinding {
  readonly kind: AlarmKind
  /** a feature, or level and class */
  readonly name: string
  /** of values */
  readonly group: number
  readonly alternative: number
  /** it follows from the others */
  readonly isFollower: boolean
}

interface Entry {
  alarm: Alarm
  /** that are not back yet */
  findings: Finding[]
  followers: Finding[]
  /** objects before this process, and the first of this process */
  readonly before: number
  readonly from: number
  readonly block: number
}

/** blocks from a finding until it is told: others of the same cause are found meanwhile */
const patience = { inputs: 2, answers: 5 }
/** of enough evidence: what is found beside others needs less */
const enoughBeside = 0.3

export function createAlarmBook(context: BookContext) {
  const { shape, tests, usual, objectAt, onChange } = context
  const { classNames, familyOf, factsOf, messageOf } = createAlarmFacts(context)
  const begun = new Map<AlarmKind, number>()
  let entries: Entry[] = []
  /** found since what was seen was learned last, over or not */
  let suspected: Finding[] = []
  let pending: { readonly finding: Finding; readonly at: number }[] = []

  const testsOf = (kind: AlarmKind): SequentialTests =>
    kind === 'classes' ? tests.classes : kind === 'values' ? tests.values : tests.missing

  function findingOf(bank: keyof BookContext['tests'], series: number): Finding {
    const { alternative, block, share } = tests[bank].strongest(series)
    const kind = bank !== 'missing' ? bank : tests.missing.isAbove(alternative) ? 'missing' : 'present'
    return {
      kind,
      item: bank === 'values' ? Math.floor(series / groupCount) : series,
      series,
      alternative,
      block,
      share,
    }
  }

  function mark(finding: Finding, block: number): Finding {
    suspected.push(finding)
    testsOf(finding.kind).markFound(finding.series, finding.alternative, block)
    return finding
  }

  /** Others of the same families, or any class, that are likely to have the same cause. */
  function besides(cause: readonly Finding[], block: number): Finding[] {
    const { kind } = cause[0]!
    if (kind === 'values') return []
    const items =
      kind === 'classes'
        ? classNames.map((_, item) => item)
        : [...new Set(cause.map(({ item }) => familyOf.get(item)!))].flatMap(({ features }) => features)
    return items.flatMap((item) => {
      if (testsOf(kind).isFound(item)) return []
      const finding = findingOf(kind === 'classes' ? 'classes' : 'missing', item)
      const isBeside =
        finding.kind === kind && finding.share >= enoughBeside && mayFollow(finding.block, beginOf(cause))
      return isBeside ? [mark(finding, block)] : []
    })
  }

  function open(cause: Finding[], block: number): void {
    const facts = factsOf(cause, block)
    const id = createHash('sha256').update(`${facts.kind} ${facts.first.oid} `).update(randomBytes(8)).digest('hex')
    const message = messageOf(facts, cause)
    const alarm: Alarm = { id: id.slice(0, 16), ...facts, last: null, message, consequences: [] }
    entries.push({ alarm, findings: cause, followers: [], before: 0, from: facts.first.number, block: beginOf(cause) })
    begun.set(alarm.kind, (begun.get(alarm.kind) ?? 0) + 1)
    onChange({ event: 'begun', alarm, text: message })
  }

  /** A cause may be part of an alarm that is open, or follow from it. */
  function tell(cause: Finding[], block: number): void {
    const { kind } = cause[0]!
    const begin = beginOf(cause)
    const facts = factsOf(cause, block)
    const same = entries.find(
      ({ alarm, block: from }) =>
        alarm.kind === kind &&
        kind !== 'classes' &&
        mayFollow(begin, from) &&
        facts.families.every((name) => alarm.families.includes(name)),
    )
    if (same) {
      same.findings.push(...cause)
      same.alarm = { ...same.alarm, features: [...new Set([...same.alarm.features, ...facts.features])] }
      return
    }
    const origin = entries.find(
      ({ alarm, block: from }) =>
        alarm.kind !== kind &&
        alarm.kind !== 'classes' &&
        mayFollow(begin, from) &&
        (kind === 'classes' || facts.families.some((name) => alarm.families.includes(name))),
    )
    if (!origin) return open(cause, block)
    origin.followers.push(...cause)
    const texts = kind === 'classes' ? facts.shares.slice(0, 3).map(consequenceText) : [messageOf(facts, cause)]
    origin.alarm = { ...updated(origin), consequences: [...origin.alarm.consequences, ...texts] }
    onChange({
      event: 'consequence',
      alarm: origin.alarm,
      text: `${texts.join(', ')}: follows from ${origin.alarm.families.join(', ')}`,
    })
  }

  /** Counts go on while an alarm is open. */
  function updated({ alarm, before, from }: Entry): Alarm {
    const objects = before + Math.max(0, context.objects() - from + 1)
    return { ...alarm, objects, message: goneOn({ ...alarm, objects }) }
  }

  function tellDue(isInput: boolean, block: number, patienceOf: number): void {
    const mine = pending.filter(({ finding }) => (finding.kind === 'classes') !== isInput)
    if (mine.length === 0 || block - mine[0]!.at < patienceOf) return
    pending = pending.filter((one) => !mine.includes(one))
    const causes = causesOf(mine.map(({ finding }) => finding))
    const order: AlarmKind[] = ['missing', 'present', 'values', 'classes']
    for (const cause of causes.sort((a, b) => order.indexOf(a[0]!.kind) - order.indexOf(b[0]!.kind))) {
      tell([...cause, ...besides(cause, block)], block)
    }
  }

  function close(entry: Entry, event: 'ended' | 'accepted', last: WatchedObject, block: number): void {
    entries = entries.filter((one) => one !== entry)
    // what followed is asked for anew
    for (const { kind, series } of entry.followers) testsOf(kind).forget(series, block + 1)
    const isOver = event === 'ended'
    const facts = { ...updated(entry), last }
    const after = isOver ? context.objects() - last.number + 1 : 0
    const objects = Math.max(1, facts.objects - Math.max(0, after))
    const alarm = { ...facts, objects }
    const text = isOver ? endText(alarm, last) : `accepted as usual: ${alarm.message}`
    onChange({ event, alarm: isOver ? { ...alarm, message: over(alarm, last) } : alarm, text })
  }

  return {
    /** A test has found something. */
    find(bank: keyof BookContext['tests'], series: number, block: number): void {
      pending.push({ finding: mark(findingOf(bank, series), block), at: block })
    },
    /** A test has found that its series is as usual again. */
    returned(bank: keyof BookContext['tests'], series: number, block: number): void {
      const at = tests[bank].returnedAt(series)
      tests[bank].forget(series, block + 1)
      const isOther = (finding: Finding): boolean => testsOf(finding.kind) !== tests[bank] || finding.series !== series
      pending = pending.filter(({ finding }) => isOther(finding))
      for (const entry of entries) {
        const before = entry.findings.length
        entry.findings = entry.findings.filter(isOther)
        entry.followers = entry.followers.filter(isOther)
        if (before === 0 || entry.findings.length > 0) continue
        close(entry, 'ended', objectAt(bank === 'classes' ? 'answers' : 'inputs', at), block)
      }
    },
    /** A block is done: what was found some blocks ago is told. Classes wait for features that may be why. */
    tellInputs: (block: number): void => tellDue(true, block, patience.inputs),
    tellAnswers: (block: number): void => tellDue(false, block, patience.answers),
    /** Nothing more comes. */
    finish(inputBlock: number, answerBlock: number): void {
      tellDue(true, inputBlock, 0)
      tellDue(false, answerBlock, 0)
    },
    get alarms(): Alarm[] {
      return entries.map(updated)
    },
    begun: begun as ReadonlyMap<AlarmKind, number>,
    /** What teaches nothing of what was seen since this was last asked: features, and whether classes do not. */
    takeWithheld(): { readonly features: Set<number>; readonly hasClasses: boolean } {
      const found = [...suspected, ...entries.flatMap(({ findings }) => findings)]
      suspected = pending.map(({ finding }) => finding)
      const inputFindings = found.filter(({ kind }) => kind !== 'classes')
      const isFromProfile = ({ kind, item }: Finding): boolean =>
        kind === 'classes' && usual().classes[item]?.isProfiled === true
      return {
        features: new Set(inputFindings.map(({ item }) => item)),
        hasClasses: found.some((one) => !isFromProfile(one)),
      }
    },
    /** As they go into a state. */
    saved: (): SavedAlarm[] =>
      entries.map((entry) => ({
        alarm: updated(entry),
        findings: [
          ...entry.findings.map((finding) => savedFinding(finding, false)),
          ...entry.followers.map((finding) => savedFinding(finding, true)),
        ],
      })),
    /** Goes on with an alarm of an earlier process; what the model does not have is left out. */
    restore({ alarm, findings }: SavedAlarm): void {
      const known = findings.flatMap((saved) => {
        const finding = restoredFinding(saved)
        // two processes may have told of it
        const isNew = finding && !testsOf(finding.kind).isFound(finding.series)
        return isNew ? [{ finding: mark(finding, 0), isFollower: saved.isFollower }] : []
      })
      const of = (isFollower: boolean): Finding[] =>
        known.filter((one) => one.isFollower === isFollower).map(({ finding }) => finding)
      if (of(false).length === 0) return
      entries.push({ alarm, findings: of(false), followers: of(true), before: alarm.objects, from: 1, block: 0 })
    },
    /** Somebody has said that this is usual from now on. */
    accept(ids: ReadonlySet<string>, block: number): void {
      for (const entry of entries.filter(({ alarm }) => ids.has(alarm.id))) {
        for (const { kind, series } of entry.findings) testsOf(kind).forget(series, block + 1)
        close(entry, 'accepted', entry.alarm.first, block)
      }
    },
  }

  function savedFinding({ kind, item, series, alternative }: Finding, isFollower: boolean): SavedFinding {
    const { level, class: name } = classNames[item] ?? {}
    const shown = kind === 'classes' ? `${level} ${name}` : shape.features[item]!
    return { kind, name: shown, group: kind === 'values' ? series % groupCount : 0, alternative, isFollower }
  }

  function restoredFinding({ kind, name, group, alternative }: SavedFinding): Finding | undefined {
    const item =
      kind === 'classes'
        ? classNames.findIndex((one) => `${one.level} ${one.class}` === name)
        : shape.features.indexOf(name)
    // a version that tested otherwise may have written it
    if (item < 0 || alternative >= testsOf(kind).alternatives || group >= groupCount) return undefined
    return { kind, item, series: kind === 'values' ? item * groupCount + group : item, alternative, block: 0, share: 1 }
  }
}

/** What an alarm says of its cause: families or classes, since which object, how much of it and how much is usual. */
function createAlarmFacts(context: FactsContext) {
  const { shape, families, inputVersion, inputs, answers, usual, objectAt } = context
  const familyOf = new Map(families.flatMap((family) => family.features.map((f) => [f, family] as const)))
  const sizes = new Map(families.map(({ name, features }) => [name, features.length]))
  const sizeOf = (family: string): number => sizes.get(family)!
  const classNames = shape.levels.flatMap(({ name, classes }) => classes.map((one) => ({ level: name, class: one })))

  /** How the shares of a cause's classes moved, what people ask for first. */
  function sharesOf(cause: readonly Finding[], blocks: number): ShareShift[] {
    const shifts = [...new Set(cause.map(({ item }) => item))].map((item) => {
      const { hits, trials } = answers.lately(item, blocks)
      const known = usual().classes[item]?.share
      return {
        ...classNames[item]!,
        usual: known ? known.hits / known.trials : 0,
        observed: trials === 0 ? 0 : hits / trials,
      }
    })
    const weight = ({ level, usual: before, observed }: ShareShift): number => {
      const place = shape.levels.findIndex(({ name }) => name === level)
      // the top says it in the fewest words, and margins are nobody's first question
      const worth = place === 1 ? 1.5 : place === 0 ? 1 : place === shape.levels.length - 1 ? 0.1 : 0.5
      return worth * Math.abs(observed - before)
    }
    return shifts.sort((a, b) => weight(b) - weight(a))
  }

  /** What is known of a cause now: who, since when, how much. The first object counts from the block in which it began. */
  function factsOf(cause: readonly Finding[], block: number) {
    const { kind } = cause[0]!
    // the first may be half as usual
    const blocks = Math.max(1, block - beginOf(cause))
    const first = objectAt(kind === 'classes' ? 'answers' : 'inputs', beginOf(cause))
    const objects = Math.max(0, context.objects() - first.number + 1)
    if (kind === 'classes') {
      const shares = sharesOf(cause, blocks)
      const levels = [...new Set(shares.map(({ level }) => level))]
      const { usual: before, observed } = shares[0]!
      return { kind, families: levels, features: [], shares, usual: before, observed, first, objects }
    }
    const items = [...new Set(cause.map(({ item }) => item))]
    const inOrder = kind === 'values' ? items : [...items].sort((a, b) => a - b)
    const known = items.map((f) => usual().missing[f]!.share)
    const isKnown = known.every((share) => share !== undefined)
    const rate = mean(
      items.map((f) => inputs.missingLately(f, blocks)).map(({ hits, trials }) => hits / Math.max(1, trials)),
    )
    const common = known.map((share) => (share ? share.hits / share.trials : 0))
    const group = (finding: Finding): number => usual().values[finding.item]?.shares[finding.series % groupCount] ?? 0
    return {
      kind,
      families: [...new Set(inOrder.map((f) => familyOf.get(f)!.name))],
      features: inOrder.map((f) => shape.features[f]!),
      shares: [],
      usual: kind === 'values' ? group(cause[0]!) : isKnown ? mean(common) : null,
      observed: kind === 'values' ? 1 : rate,
      first,
      objects,
    }
  }

  /** The sentence for people. */
  function messageOf(facts: ReturnType<typeof factsOf>, cause: readonly Finding[]): string {
    if (facts.kind === 'classes') return classesText(facts, inputVersion)
    if (facts.kind !== 'values') return missingText(facts, inputVersion, sizeOf)
    const f = cause[0]!.item
    return valuesText(facts, { usual: usual().values[f]!, values: inputs.latestValues(f) }, inputVersion, sizeOf)
  }

  return { familyOf, classNames, factsOf, messageOf }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
