// What a run of classify shows in its report, gathered while batches pass: counters, and a bounded list of objects.
import { type ClassifiedBatch, firstMaximum, type Level, type Taxonomy } from '../../pipeline/batch.ts'

export type ClassifyFacts = ReturnType<typeof nothingYet>
export type LevelFacts = ClassifyFacts['levels'][number]
export type ClassFacts = LevelFacts['classes'][number]
/** An object with little between its two most probable leaf classes. */
type DoubtfulRow = NonNullable<ReturnType<typeof doubtOf>>

/** intervals of a histogram of confidences */
export const confidenceBins = 20
const keptObjects = 200

/** Sees the batches of a run. An input's count only if it came to its end, as in the receipt. Memory does not grow. */
export function createClassifyWatch(taxonomy: Taxonomy) {
  const whole = nothingYet(taxonomy)
  return {
    facts: whole,
    openInput() {
      const own = nothingYet(taxonomy)
      return {
        see: (batch: ClassifiedBatch): void => count(own, batch),
        /** The input came to its end: what was seen joins the run's. */
        keep: (): void => add(whole, own),
      }
    },
  }
}
export type ClassifyWatch = ReturnType<typeof createClassifyWatch>

function nothingYet({ levels }: Taxonomy) {
  return {
    levels: levels.map(({ classifierName, branch, classes }) => ({
      classifierName,
      /** it counts the objects whose top class it is */
      branch,
      classes: classes.map((name) => ({
        class: name,
        /** objects that the level calls so */
        objects: 0,
        /** those by the class's probability, in equal intervals from 0 to 1, open to the left */
        confidence: new Array<number>(confidenceBins).fill(0),
      })),
    })),
    /** the smallest margin first; of equals the one that came first */
    doubtful: [] as DoubtfulRow[],
  }
}

function count(into: ClassifyFacts, batch: ClassifiedBatch): void {
  const { levels } = batch.taxonomy
  const top = levels.findIndex(({ branch }, index) => index > 0 && branch === null)
  for (let row = 0; row < batch.rowCount; row++) {
    const branch = top < 0 ? null : levels[top]!.classes[winner(batch, top, row)]!
    levels.forEach((level, index) => {
      if (level.branch !== null && level.branch !== branch) return
      const best = winner(batch, index, row)
      const facts = into.levels[index]!.classes[best]!
      facts.objects++
      const probability = batch.probabilities[index]![row * level.classes.length + best]!
      facts.confidence[Math.min(confidenceBins - 1, Math.max(0, Math.ceil(probability * confidenceBins) - 1))]!++
    })
    const doubt = doubtOf(batch, levels[0]!, row)
    if (doubt) keepDoubt(into.doubtful, doubt)
  }
}

function winner({ taxonomy, probabilities }: ClassifiedBatch, level: number, row: number): number {
  const width = taxonomy.levels[level]!.classes.length
  return firstMaximum(probabilities[level]!, row * width, width)
}

/** undefined for a model of a single class. */
function doubtOf(batch: ClassifiedBatch, { classes }: Level, row: number) {
  if (classes.length < 2) return undefined
  const values = batch.probabilities[0]!
  const start = row * classes.length
  const best = firstMaximum(values, start, classes.length)
  let second = best === 0 ? 1 : 0
  for (let i = 0; i < classes.length; i++) if (i !== best && values[start + i]! > values[start + second]!) second = i
  const [probability, next] = [values[start + best]!, values[start + second]!]
  return {
    oid: batch.oids[row]!,
    candid: batch.candids[row]?.toString() ?? null,
    class: classes[best]!,
    probability,
    second_class: classes[second]!,
    second_probability: next,
    margin: probability - next,
  }
}

/** The list stays sorted and short; of equal margins the earlier stays. */
function keepDoubt(list: DoubtfulRow[], doubt: DoubtfulRow): void {
  if (list.length === keptObjects && doubt.margin >= list.at(-1)!.margin) return
  let [low, high] = [0, list.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]!.margin <= doubt.margin) low = middle + 1
    else high = middle
  }
  list.splice(low, 0, doubt)
  if (list.length > keptObjects) list.pop()
}

function add(whole: ClassifyFacts, own: ClassifyFacts): void {
  own.levels.forEach(({ classes }, level) =>
    classes.forEach(({ objects, confidence }, index) => {
      const into = whole.levels[level]!.classes[index]!
      into.objects += objects
      confidence.forEach((number, bin) => (into.confidence[bin]! += number))
    }),
  )
  for (const doubt of own.doubtful) keepDoubt(whole.doubtful, doubt)
}
