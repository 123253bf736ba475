import { describe, expect, it } from 'vitest'
import { createAcknowledgements } from '../../../src/connectors/kafka/snapshot.ts'

type Places = ReadonlyMap<string, bigint>

function recorded() {
  const told: string[] = []
  const acknowledge = (places: Places): Promise<void> => {
    told.push([...places].map(([part, offset]) => `${part}${offset}`).join(' '))
    return Promise.resolve()
  }
  return { ...createAcknowledgements(acknowledge), told }
}

const at = (part: string, offset: number): Places => new Map([[part, BigInt(offset)]])

describe('what nobody wants', () => {
  it('is acknowledged at once where nothing waits before it', async () => {
    const { pass, told } = recorded()
    await pass(at('a', 5))
    expect(told).toEqual(['a5'])
  })

  it('is acknowledged behind the last delivery, and not before', async () => {
    const { deliver, pass, told } = recorded()
    const acks = [deliver(at('a', 10)), deliver(at('b', 20))]
    await pass(at('a', 15))
    await acks[0]!()
    expect(told).toEqual(['a10'])
    await acks[1]!()
    expect(told).toEqual(['a10', 'b20', 'a15'])
  })

  it('goes with the next delivery, whose place is the later one', async () => {
    const { deliver, pass, told } = recorded()
    const first = deliver(at('a', 10))
    await pass(new Map([...at('a', 15), ...at('b', 7)]))
    const second = deliver(at('a', 20))
    await first()
    await second()
    expect(told).toEqual(['a10', 'a20 b7'])
  })

  it('is never acknowledged where the delivery before it is not', async () => {
    const told: bigint[] = []
    const { deliver, pass } = createAcknowledgements<string>((places) => {
      told.push(...places.values())
      return Promise.reject(new Error('broker away'))
    })
    const ack = deliver(at('a', 10))
    await pass(at('a', 15))
    await expect(ack()).rejects.toThrow('broker away')
    expect(told).toEqual([10n])
  })
})
