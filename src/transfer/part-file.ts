// What has arrived of a file, beside it: `.part` the bytes, `.part.json` which version of the object they are of.
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'

/** What a part is worth: its bytes belong to this version of the object. */
export interface PartState {
  readonly etag: string | null
  /** bytes of the whole object; null where its server did not say */
  readonly size: number | null
}

const fromStart = { from: 0, etag: null, size: null }

/** What has arrived is good for as long as the object is the same; its last byte is fetched again to learn that. */
export async function resumePoint(path: string): Promise<PartState & { readonly from: number }> {
  // a whole file of an earlier run, of which the server may have another by now
  if ((await sizeOf(path)) > 0 && (await sizeOf(`${path}.part`)) === 0) await rename(path, `${path}.part`)
  const there = await sizeOf(`${path}.part`)
  const state = await readState(`${path}.part.json`)
  if (there === 0 || !state || state.etag === null) return fromStart
  if (state.size !== null && there > state.size) return fromStart
  return { ...state, from: there === state.size ? there - 1 : there }
}

/** Says what the bytes that follow are of. */
export async function writeState(path: string, { etag, size }: PartState): Promise<void> {
  await writeFile(`${path}.part.json`, JSON.stringify({ etag, size } satisfies PartState))
}

/** Nothing of what has arrived is used again. */
export async function dropPart(path: string): Promise<void> {
  await rm(`${path}.part`, { force: true })
  await rm(`${path}.part.json`, { force: true })
}

async function readState(path: string): Promise<PartState | undefined> {
  try {
    const { etag, size } = JSON.parse(await readFile(path, 'utf8')) as Partial<PartState>
    return { etag: typeof etag === 'string' ? etag : null, size: typeof size === 'number' ? size : null }
  } catch {
    return undefined
  }
}

/** Bytes of a file; 0 where there is none. */
export async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  )
}
