// Zstandard in memory: Node's own zlib has it only from 22.15 on.

/** Whole frames; the sizes are known to whoever calls. */
interface Zstd {
  compress(bytes: Uint8Array, level: number): Uint8Array
  /** @throws Error for damaged data, or data that does not give `size` bytes */
  decompress(bytes: Uint8Array, size: number): Uint8Array
  /** for frames that may not say their size; @throws Error for damaged data, or data of more than `limit` bytes */
  decompressUpTo(bytes: Uint8Array, limit: number): Uint8Array
}

let ready: Promise<Zstd> | undefined

/** Loads the WebAssembly module, once a process. */
export function loadZstd(): Promise<Zstd> {
  ready ??= load()
  return ready
}

async function load(): Promise<Zstd> {
  const zstd = await import('@bokuweb/zstd-wasm')
  await zstd.init()
  return {
    compress: (bytes, level) => zstd.compress(bytes, level),
    decompress(bytes, size) {
      // the module writes as many bytes as the frame claims to where it could not allocate them
      const declared = declaredSize(bytes)
      if (declared !== undefined && declared !== size) throw new Error('a zstd frame of another size than expected')
      const plain = zstd.decompress(bytes, { defaultHeapSize: size })
      if (plain.length !== size) throw new Error('a zstd frame of another size than expected')
      return plain
    },
    decompressUpTo(bytes, limit) {
      const declared = declaredSize(bytes)
      if (declared !== undefined && declared > limit) throw new Error('a zstd frame that is too large')
      return zstd.decompress(bytes, { defaultHeapSize: limit })
    },
  }
}

const magic = 0xfd2fb528

/** The content size in a frame's header (RFC 8878, 3.1.1.1); undefined where the frame does not say. */
function declaredSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 6 || view.getUint32(0, true) !== magic) throw new Error('not a zstd frame')
  const descriptor = view.getUint8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeFlag = descriptor >> 6
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]!
  switch (sizeFlag) {
    case 0:
      return isSingleSegment ? view.getUint8(at) : undefined
    case 1:
      return view.getUint16(at, true) + 256
    case 2:
      return view.getUint32(at, true)
    default:
      return Number(view.getBigUint64(at, true))
  }
}
