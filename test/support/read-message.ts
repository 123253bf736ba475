// Messages for tests of their reader.
import { expect } from 'vitest'
import {
  createMessageReader,
  type MessageReader,
  type MessageReading,
} from '../../src/connectors/kafka/input-message.ts'

/** A reader of messages with these features. */
export function readerOf(features: readonly string[], required = features.length): MessageReader {
  const slotOf = new Map(features.map((name, slot) => [name, slot]))
  return createMessageReader({ oid: 'oid', candid: 'candid', slotOf, slotCount: features.length, required })
}

interface Read {
  readonly reading: MessageReading
  readonly values: number[]
}

/** What a value says, with the numbers of the features. */
export function read(value: Uint8Array | null, features: readonly string[], reader = readerOf(features)): Read {
  const into = new Float64Array(features.length + 2).fill(7)
  const reading = reader.read(value, into, 1)
  // nothing beside its own place is touched
  expect([into[0], into.at(-1)]).toEqual([7, 7])
  return { reading, values: [...into.subarray(1, -1)] }
}

/** The schema of a record, as JSON. */
export function recordOf(fields: readonly unknown[], more: object = {}): object {
  return { type: 'record', name: 'features_document', fields, ...more }
}
