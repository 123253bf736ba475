// stdout as an output: patient with a slow reader, content when the reader goes away.
import { fstatSync, write } from 'node:fs'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { systemCode, writeFailure } from '../../errors.ts'
import type { ByteOutput } from '../../whole-file.ts'

const writeTo = promisify(write)
// how a closed pipe or socket says so; EOF is Windows
const readerGone = new Set(['EPIPE', 'ECONNRESET', 'EOF'])

/** Whether a stream failed because nobody reads it any more, which is success. */
export function isReaderGone(error: unknown): boolean {
  return readerGone.has(systemCode(error) ?? '')
}

/** @param stream process.stdout, or what stands for it */
export function openStandardOutput(stream: Writable & { fd?: number }): ByteOutput {
  let isGone = false
  let failure: unknown
  // stays for good: an 'error' that nobody listens to would end the process with a stack trace
  stream.on('error', note)

  function note(error: unknown): void {
    if (isReaderGone(error)) isGone = true
    else failure ??= error
  }

  async function handOver(bytes: Uint8Array): Promise<void> {
    const { fd } = stream
    if (fd !== undefined && isRegularFile(fd)) return writeFully(fd, bytes)
    return new Promise((done, failed) => {
      stream.write(bytes, (error) => {
        if (!error) return done()
        // a stream that failed once calls every later write "destroyed": the first failure is the one that counts
        if (systemCode(error) !== 'ERR_STREAM_DESTROYED') note(error)
        else if (failure === undefined) isGone = true
        if (failure === undefined) done()
        else failed(failure)
      })
    })
  }

  async function send(bytes: Uint8Array): Promise<void> {
    if (isGone) return
    try {
      await handOver(bytes)
    } catch (error) {
      throw writeFailure('-', error)
    }
  }

  return {
    get isGone() {
      return isGone
    },
    write: send,
    // an empty write is called back after everything before it
    finish: () => send(new Uint8Array(0)),
    publish: () => Promise.resolve(),
    close: () => Promise.resolve(),
  }
}

function isRegularFile(fd: number): boolean {
  try {
    return fstatSync(fd).isFile()
  } catch {
    return false
  }
}

/** Node's own stream for `> file` takes a short write (a disk that fills up) for a whole one, and the end is lost. */
async function writeFully(fd: number, bytes: Uint8Array): Promise<void> {
  for (let start = 0; start < bytes.length;) {
    const { bytesWritten } = await writeTo(fd, bytes, start, bytes.length - start)
    start += bytesWritten
  }
}
