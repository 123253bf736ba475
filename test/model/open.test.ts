// A model that does not give its golden answers is never used, whenever the proof ends.
import { afterEach, describe, expect, it } from 'vitest'
import { join } from 'node:path'
import { openClassifier } from '../../src/model/open.ts'
import type { Classifier } from '../../src/pipeline/classifier.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unprovedModel } from '../support/unproved-model.ts'

const open: Classifier[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((classifier) => classifier.close()))
})

async function openedLater(directory: string): Promise<Classifier> {
  const classifier = await openClassifier(directory, { threads: 1, provesLater: true })
  open.push(classifier)
  return classifier
}

function rowsFor({ features }: Classifier, rowCount: number) {
  const oids = Array.from({ length: rowCount }, (_, row) => `o${row}`)
  return { rowCount, oids, candids: oids.map(() => null), matrix: new Float32Array(rowCount * features.length) }
}

describe('a model whose golden answers are not its own', () => {
  it('does not open', async () => {
    const directory = unprovedModel(join(temporaryFolder(), 'bundle'))
    await expect(openClassifier(directory, { threads: 1 })).rejects.toThrow('the golden answers are not reproduced')
  })

  it.each([1, 2, 500])('answers no batch where it may prove itself later, %i rows', async (rowCount) => {
    const classifier = await openedLater(unprovedModel(join(temporaryFolder(), 'bundle')))
    for (const batch of [rowsFor(classifier, rowCount), rowsFor(classifier, rowCount)]) {
      await expect(classifier.classify(batch)).rejects.toThrow('the golden answers are not reproduced')
    }
  })

  it('can be closed before the proof ends', async () => {
    const classifier = await openedLater(unprovedModel(join(temporaryFolder(), 'bundle')))
    const asked = classifier.classify(rowsFor(classifier, 100))
    const outcome = expect(asked).rejects.toThrow()
    await classifier.close()
    await outcome
  })
})

describe('a model that proves itself later', () => {
  it.each([1, 2, 500])('gives the answers of one that has proved itself, %i rows', async (rowCount) => {
    const [later, before] = [
      await openedLater(join(samples, 'model')),
      await openClassifier(join(samples, 'model'), { threads: 1 }),
    ]
    open.push(before)
    const answers = await Promise.all([later, before].map((each) => each.classify(rowsFor(each, rowCount))))
    expect(answers[0]!.probabilities).toEqual(answers[1]!.probabilities)
  })
})
