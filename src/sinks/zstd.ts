// Zstandard for Parquet pages: Node's own zlib has it only from 22.15 on.

let ready: Promise<(bytes: Uint8Array) => Uint8Array> | undefined

/** Loads the compressor, once a process. Level 1: probabilities gain nothing from a higher one. */
export function loadZstd(): Promise<(bytes: Uint8Array) => Uint8Array> {
  ready ??= load()
  return ready
}

async function load(): Promise<(bytes: Uint8Array) => Uint8Array> {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return (bytes) => zstd.compress(bytes, 1)
}
