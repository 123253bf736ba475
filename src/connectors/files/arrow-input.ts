// Arrow messages of a file by its footer, of a stream as they come.
import { open } from 'node:fs/promises'
import { arrowFileMessages } from '../../formats/arrow/file.ts'
import { arrowFileMagic, arrowStreamMessages } from '../../formats/arrow/stream.ts'
import { openByteInput } from './byte-input.ts'
import { type InputFile, inspectFile, readEnds, unreadable } from './input-file.ts'
import type { FileSourceSpec } from './file-formats.ts'
import type { InputIdentity, Source } from '../../pipeline/source.ts'

/** An input whose messages can be read; again and again where `replayable`. */
interface ArrowInput {
  readonly name: string
  readonly identity: InputIdentity
  readonly replayable: boolean
  messages(): AsyncGenerator<Uint8Array, void, undefined>
  /** Ends what is being read now, even while it waits. */
  stop(): void
  /** empty where the size is not known */
  readonly progress: Pick<Source, 'fractionRead'>
  checkUnchanged(): Promise<void>
}

/** @throws DataError for a file that is not there or cannot be read */
export async function openArrowInput(spec: FileSourceSpec): Promise<ArrowInput> {
  if (spec.kind === 'file') {
    const file = await inspectFile(spec.path, spec.address)
    const { head } = file.isRegular ? await readEnds(file, arrowFileMagic.length) : { head: Buffer.alloc(0) }
    if (head.toString('latin1') === arrowFileMagic) return fileInput(file)
  }
  const input = await openByteInput(spec)
  return {
    ...input,
    messages: () => arrowStreamMessages(input.chunks(), input.name),
  }
}

function fileInput(file: InputFile): ArrowInput {
  let bytesRead = 0

  async function* messages(): AsyncGenerator<Uint8Array, void, undefined> {
    bytesRead = 0
    const handle = await open(file.path).catch((cause: unknown) => {
      throw unreadable(file.name, cause)
    })
    try {
      const read = async (position: number, length: number): Promise<Buffer> => {
        const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, file.size - position)))
        const result = await handle.read(bytes, 0, bytes.length, position)
        bytesRead += result.bytesRead
        return bytes.subarray(0, result.bytesRead)
      }
      yield* arrowFileMessages({ size: file.size, read }, file.name)
    } finally {
      await handle.close()
    }
  }

  return {
    name: file.name,
    identity: file.identity,
    replayable: true,
    messages,
    // a file keeps nobody waiting
    stop: () => undefined,
    progress: { fractionRead: () => Math.min(1, bytesRead / file.size) },
    checkUnchanged: () => file.checkUnchanged(),
  }
}
