// lz4js brings no types; only what is used of it.
declare module 'lz4js' {
  /** Decompresses one LZ4 block of `src` into `dst`; answers the place after the last byte written. */
  export function decompressBlock(
    src: Uint8Array,
    dst: Uint8Array,
    sourceStart: number,
    sourceLength: number,
    targetStart: number,
  ): number
}
