// Which batches go to a thread together, and whose answer is whose.
import { describe, expect, it } from 'vitest'
import { createGroups, type Rows } from '../../../src/model/forest/batch-groups.ts'

/** Threads that finish a group when they are told to; a batch is answered with its number of rows. */
function startThreads(threads: number, mostRows: number) {
  const groups: { sizes: number[]; finish: (error?: Error) => void }[] = []
  const run = (group: readonly Rows[]): Promise<number[]> =>
    new Promise((resolve, reject) => {
      const sizes = group.map(({ rowCount }) => rowCount)
      groups.push({ sizes, finish: (error) => (error ? reject(error) : resolve(sizes)) })
    })
  const classify = createGroups<number>(run, { threads, mostRows })
  return { groups, give: (rowCount: number) => classify({ matrix: new Float32Array(rowCount), rowCount }) }
}

const sizesOf = (groups: readonly { sizes: number[] }[]) => groups.map(({ sizes }) => sizes)

describe('batches that wait for a thread', () => {
  it('go alone while threads are free, and together when there are more', async () => {
    const { groups, give } = startThreads(1, 100)
    const answers = [1, 2, 3, 4, 5].map(give)
    expect(sizesOf(groups)).toEqual([[1], [2]])
    groups[0]!.finish()
    expect(await answers[0]).toBe(1)
    expect(sizesOf(groups)).toEqual([[1], [2], [3, 4, 5]])
    groups[1]!.finish()
    groups[2]!.finish()
    expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5])
  })

  it('go to all threads in equal shares', async () => {
    const { groups, give } = startThreads(2, 100)
    const answers = [1, 1, 1, 1, 10, 11, 12, 13, 14].map(give)
    groups[0]!.finish()
    await answers[0]
    groups[1]!.finish()
    await answers[1]
    expect(sizesOf(groups)).toEqual([[1], [1], [1], [1], [10, 11], [12]])
  })

  it('have no more rows together than a block, unless one alone has', async () => {
    const { groups, give } = startThreads(1, 10)
    const answers = [1, 1, 6, 4, 1, 25, 3].map(give)
    for (let i = 0; i < 5; i++) {
      groups[i]!.finish()
      await new Promise(setImmediate)
    }
    expect(sizesOf(groups)).toEqual([[1], [1], [6, 4], [1], [25], [3]])
    groups[5]!.finish()
    expect(await Promise.all(answers)).toEqual([1, 1, 6, 4, 1, 25, 3])
  })

  it('fail together, and those behind them do not', async () => {
    const { groups, give } = startThreads(1, 100)
    const answers = [1, 2, 3, 4].map(give)
    groups[0]!.finish()
    await answers[0]
    const failed = Promise.allSettled(answers.slice(2))
    const last = give(5)
    groups[2]!.finish(new Error('lost'))
    expect((await failed).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    groups[3]!.finish()
    expect(await last).toBe(5)
  })
})
