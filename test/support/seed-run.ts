// The recorded messages of the original.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

const folder = fileURLToPath(new URL('../fixtures/kafka', import.meta.url))

/** The 40 messages the original read, and the 40 it wrote. */
export function seedRun(kind: 'input' | 'output'): Buffer[] {
  const packed = gunzipSync(readFileSync(`${folder}/seed-run-${kind}.bin.gz`))
  const messages: Buffer[] = []
  for (let at = 0; at < packed.length;) {
    const length = packed.readUInt32BE(at)
    messages.push(packed.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return messages
}
