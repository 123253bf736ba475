// A message that takes a third of a second to decode: valid, small, and a container of sixty million empty maps that nobody needs.
import { container, write } from './avro-writer.ts'
import { recordOf } from './read-message.ts'

/** Some 60 kB. */
export function slowAlert(oid: string, candid: number): Buffer {
  const count = 60_000_000
  const schema = recordOf([
    { name: 'oid', type: 'string' },
    { name: 'candid', type: 'long' },
    { name: 'history', type: { type: 'array', items: { type: 'map', values: 'string' } } },
    { name: 'features', type: { type: 'map', values: 'double' } },
  ])
  const history = Buffer.concat([write.long(count), Buffer.alloc(count), write.long(0)])
  const record = Buffer.concat([write.text(oid), write.long(candid), history, write.long(0)])
  return container(schema, [record], { codec: 'deflate' })
}
