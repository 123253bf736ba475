// seek-bzip brings no types; only what is used of it.
declare module 'seek-bzip' {
  interface Input {
    /** −1 at the end */
    readByte(): number
    read(target: Uint8Array, start: number, length: number): number
    eof(): boolean
  }
  const Bunzip: {
    /** @param isMulti several streams, one after the other */
    decode(input: Input, output: { writeByte(byte: number): void }, isMulti: boolean): void
  }
  export default Bunzip
}
