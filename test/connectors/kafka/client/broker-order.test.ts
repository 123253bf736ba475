import { describe, expect, it } from 'vitest'
import { createBrokerOrder } from '../../../../src/connectors/kafka/client/connection.ts'

const place = (host: string) => ({ host, port: 9092 })
const hosts = (order: ReturnType<typeof createBrokerOrder>) => order.all().map(({ host }) => host)

describe('the order in which brokers are asked', () => {
  it('begins behind one that did not answer, and is the same for all who waited for it', () => {
    const known = [place('a'), place('b'), place('a')]
    const order = createBrokerOrder(() => known)
    expect(hosts(order)).toEqual(['a', 'b'])
    // two requests over one connection
    order.moveOn(place('a'))
    order.moveOn(place('a'))
    expect(hosts(order)).toEqual(['b', 'a'])
    known.push(place('c'))
    expect(hosts(order)).toEqual(['b', 'c', 'a'])
    order.moveOn(place('b'))
    order.moveOn(place('c'))
    expect(hosts(order)).toEqual(['a', 'b', 'c'])
  })

  it('begins with one that could be connected to', () => {
    const order = createBrokerOrder(() => [place('a'), place('b')])
    order.prefer(place('b'))
    expect(hosts(order)).toEqual(['b', 'a'])
    order.prefer(place('elsewhere'))
    expect(hosts(order)).toEqual(['a', 'b'])
  })
})
