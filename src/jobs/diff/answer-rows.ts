// Rows of features → what the model's product says of each.
import { firstMaximum } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { createMatrix, type FeatureMatrix } from '../../pipeline/preprocess.ts'

/** The product's probabilities of one row, in the order of the model's classes. */
export type Answer = Float64Array

const rowsABatch = 1000

/**
 * Asks the model, with as many batches under way as there are.
 *
 * @param rows features in the model's order, preprocessed; they stay as they are
 * @returns in their order; undefined where the model has no answer
 */
export async function answerRows(
  classifier: Classifier,
  rows: readonly FeatureMatrix[],
): Promise<(Answer | undefined)[]> {
  const batches = Array.from({ length: Math.ceil(rows.length / rowsABatch) }, (_, batch) =>
    answerBatch(classifier, rows.slice(batch * rowsABatch, (batch + 1) * rowsABatch)),
  )
  return (await Promise.all(batches)).flat()
}

async function answerBatch(classifier: Classifier, rows: readonly FeatureMatrix[]): Promise<(Answer | undefined)[]> {
  const { features, preprocessing, taxonomy } = classifier
  const matrix = createMatrix(rows.length * features.length, preprocessing)
  rows.forEach((row, place) => matrix.set(row, place * features.length))
  // rows without an answer are not among the answers: names tell which those are
  const oids = rows.map((_, place) => String(place))
  const classified = await classifier.classify({ rowCount: rows.length, oids, candids: rows.map(() => null), matrix })
  const width = taxonomy.levels[0]!.classes.length
  const answers = new Array<Answer | undefined>(rows.length).fill(undefined)
  classified.oids.forEach((oid, i) => {
    answers[Number(oid)] = classified.probabilities[0]!.slice(i * width, (i + 1) * width)
  })
  return answers
}

/** By how much one class is before the best of the others: negative where another one is. */
export function leadOf(answer: Answer, place: number): number {
  let second = -Infinity
  for (let i = 0; i < answer.length; i++) if (i !== place && answer[i]! > second) second = answer[i]!
  // a model of a single class
  return second === -Infinity ? answer[place]! : answer[place]! - second
}

/** The place of the class: the first of equals. */
export function winnerOf(answer: Answer): number {
  return firstMaximum(answer, 0, answer.length)
}
