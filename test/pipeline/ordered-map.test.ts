import fc from 'fast-check'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { orderedMap } from '../../src/pipeline/ordered-map.ts'

async function* itemsOf<T>(items: readonly T[], state?: { ended: boolean }): AsyncGenerator<T> {
  try {
    for (const item of items) {
      await sleep(0)
      yield item
    }
  } finally {
    if (state) state.ended = true
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('orderedMap', () => {
  it('keeps the order whatever takes how long, with at most width under way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (delays, width) => {
          let underWay = 0
          let most = 0
          const results = await collect(
            orderedMap(
              itemsOf([...delays.entries()]),
              () => width,
              async ([i, delay]) => {
                most = Math.max(most, ++underWay)
                await sleep(delay)
                underWay--
                return i
              },
            ),
          )
          expect(results).toEqual(delays.map((_, i) => i))
          expect(most).toBeLessThanOrEqual(width)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('hands out a result before the next item arrives', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    async function* quiet() {
      yield 1
      await gate
      yield 2
    }
    const results = orderedMap(
      quiet(),
      () => 3,
      (item) => Promise.resolve(item),
    )
    expect((await results.next()).value).toBe(1)
    release()
    expect((await results.next()).value).toBe(2)
    expect((await results.next()).done).toBe(true)
  })

  it('takes in and maps the next items while the reader is busy with a result', async () => {
    const mapped: number[] = []
    const results = orderedMap(
      itemsOf([1, 2, 3, 4, 5, 6]),
      () => 3,
      (item) => {
        mapped.push(item)
        return Promise.resolve(item)
      },
    )
    expect((await results.next()).value).toBe(1)
    // the reader does nothing now
    await sleep(50)
    expect(mapped).toEqual([1, 2, 3, 4])
    expect(await collect(results)).toEqual([2, 3, 4, 5, 6])
  })

  it('hands out what came before a failing item, then fails', async () => {
    async function* failing() {
      yield 1
      await sleep(1)
      throw new Error('unreadable')
    }
    const seen: number[] = []
    const reading = async () => {
      for await (const item of orderedMap(
        failing(),
        () => 2,
        (n) => Promise.resolve(n),
      ))
        seen.push(item)
    }
    await expect(reading()).rejects.toThrow('unreadable')
    expect(seen).toEqual([1])
  })

  it('ends the items when the map fails and when the reader leaves', async () => {
    const state = { ended: false }
    const failing = orderedMap(
      itemsOf([1, 2, 3], state),
      () => 1,
      () => Promise.reject(new Error('no')),
    )
    await expect(collect(failing)).rejects.toThrow('no')
    expect(state.ended).toBe(true)

    const left = { ended: false }
    for await (const item of orderedMap(
      itemsOf([1, 2, 3], left),
      () => 2,
      (n) => Promise.resolve(n),
    )) {
      expect(item).toBe(1)
      break
    }
    expect(left.ended).toBe(true)
  })
})
