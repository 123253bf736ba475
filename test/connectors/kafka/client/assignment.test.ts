import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assignCooperatively,
  assignRange,
  type Assignments,
  type Member,
} from '../../../../src/connectors/kafka/client/assignment.ts'
import { keyOf, type TopicPartition } from '../../../../src/connectors/kafka/client/partition.ts'

const counts = new Map([['t', 8]])

function member(memberId: string, owned: readonly number[] = [], generation = 1): Member {
  return { memberId, topics: ['t'], owned: owned.map((partition) => ({ topic: 't', partition })), generation }
}

const numbers = (assignments: Assignments): Record<string, number[]> =>
  Object.fromEntries([...assignments].map(([id, partitions]) => [id, partitions.map(({ partition }) => partition)]))

/** Rounds of a group: every member then owns what it was given, until nothing changes. */
function settle(
  members: readonly Member[],
  partitions: ReadonlyMap<string, number>,
): { final: Assignments; rounds: number } {
  let now = members
  for (let rounds = 1; ; rounds++) {
    const assignments = assignCooperatively(now, partitions)
    const next = now.map((each) => ({ ...each, generation: rounds + 1, owned: assignments.get(each.memberId)! }))
    if (
      rounds > 1 &&
      next.every((each, i) => each.owned.map(keyOf).sort().join() === now[i]!.owned.map(keyOf).sort().join())
    ) {
      return { final: assignments, rounds }
    }
    now = next
  }
}

describe('cooperative assignment', () => {
  it('gives a member alone everything, and two a half each', () => {
    expect(numbers(assignCooperatively([member('a')], counts))).toEqual({ a: [0, 1, 2, 3, 4, 5, 6, 7] })
    const halves = numbers(assignCooperatively([member('a'), member('b')], counts))
    expect(halves['a']).toHaveLength(4)
    expect(halves['b']).toHaveLength(4)
  })

  it('gives what must move to nobody until its owner has let go', () => {
    const first = numbers(assignCooperatively([member('a', [0, 1, 2, 3, 4, 5, 6, 7]), member('b')], counts))
    expect(first).toEqual({ a: [0, 1, 2, 3], b: [] })
    expect(numbers(assignCooperatively([member('a', [0, 1, 2, 3]), member('b')], counts))).toEqual({
      a: [0, 1, 2, 3],
      b: [4, 5, 6, 7],
    })
  })

  it('leaves everything where it is when nothing changed, and moves as little as can be when a member goes', () => {
    const members = [member('a', [0, 3, 5]), member('b', [1, 2]), member('c', [4, 6, 7])]
    expect(numbers(assignCooperatively(members, counts))).toEqual({ a: [0, 3, 5], b: [1, 2], c: [4, 6, 7] })
    const { b, c } = numbers(assignCooperatively(members.slice(1), counts))
    expect(b).toEqual(expect.arrayContaining([1, 2]))
    expect(c).toEqual(expect.arrayContaining([4, 6, 7]))
    expect([b!.length, c!.length]).toEqual([4, 4])
  })

  it('believes the later of two that claim the same, and neither when that does not tell', () => {
    const later = numbers(assignCooperatively([member('a', [0, 1, 2, 3], 4), member('b', [0, 1, 2, 3], 5)], counts))
    expect(later['b']).toEqual([0, 1, 2, 3])
    const same = numbers(assignCooperatively([member('a', [0, 1], 5), member('b', [0, 1], 5)], counts))
    expect([...same['a']!, ...same['b']!].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('gives nobody what does not exist, or what nobody wants', () => {
    expect(
      numbers(
        assignCooperatively(
          [member('a', [7, 8, 9])],
          new Map([
            ['t', 2],
            ['other', 3],
          ]),
        ),
      ),
    ).toEqual({ a: [0, 1] })
    expect(numbers(assignCooperatively([], counts))).toEqual({})
  })

  it('comes to rest with every partition at one member, evenly, whatever was before', () => {
    const groups = fc.record({
      size: fc.integer({ min: 1, max: 6 }),
      topics: fc.dictionary(fc.constantFrom('t', 'u', 'v'), fc.integer({ min: 1, max: 9 }), { minKeys: 1 }),
      owned: fc.array(fc.tuple(fc.constantFrom('t', 'u', 'v'), fc.nat(8), fc.nat(5)), { maxLength: 20 }),
    })
    fc.assert(
      fc.property(groups, ({ size, topics, owned }) => {
        const partitions = new Map(Object.entries(topics))
        const members = Array.from({ length: size }, (_, i) => ({
          memberId: `m${i}`,
          topics: [...partitions.keys()],
          generation: i % 2,
          owned: uniquePartitions(
            owned.filter(([, , owner]) => owner === i).map(([topic, partition]) => ({ topic, partition })),
          ),
        }))
        const { final, rounds } = settle(members, partitions)
        const given = [...final.values()].flat().map(keyOf)
        const all = [...partitions].flatMap(([topic, count]) =>
          Array.from({ length: count }, (_, partition) => keyOf({ topic, partition })),
        )
        expect(given.sort()).toEqual(all.sort())
        const sizes = [...final.values()].map((share) => share.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        expect(rounds).toBeLessThanOrEqual(4)
      }),
      { numRuns: 500 },
    )
  })
})

function uniquePartitions(partitions: readonly TopicPartition[]): TopicPartition[] {
  return [...new Map(partitions.map((partition) => [keyOf(partition), partition])).values()]
}

describe('assignment by range', () => {
  it('is that of other clients: runs of each topic by the order of members', () => {
    const members = ['c', 'a', 'b'].map((id) => member(id))
    expect(numbers(assignRange(members, counts))).toEqual({ a: [0, 1, 2], b: [3, 4, 5], c: [6, 7] })
  })
})
