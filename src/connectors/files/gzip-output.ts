// gzip before the file.
import { createGzip } from 'node:zlib'
import type { ByteOutput } from './byte-output.ts'

/** Compresses what is written; each `write` waits until the compressed bytes of it have gone on. */
export function gzipped(output: ByteOutput): ByteOutput {
  const gzip = createGzip()
  let compressed: Buffer[] = []
  gzip.on('data', (chunk: Buffer) => compressed.push(chunk))

  async function passOn(): Promise<void> {
    const chunks = compressed
    compressed = []
    if (chunks.length > 0) await output.write(Buffer.concat(chunks))
  }

  return {
    async write(bytes) {
      // closed before: the output says so in its own words
      if (gzip.destroyed) return output.write(bytes)
      await new Promise<void>((done, failed) => gzip.write(bytes, (error) => (error ? failed(error) : done())))
      await passOn()
    },
    async finish() {
      if (gzip.destroyed) return output.finish()
      await new Promise<void>((done, failed) => gzip.once('end', done).once('error', failed).end())
      await passOn()
      await output.finish()
    },
    publish: () => output.publish(),
    async close() {
      gzip.destroy()
      await output.close()
    },
  }
}
