// A FlatBuffer's tables with every offset and length checked: the generated readers trust them.

/** A table inside a buffer; slots are numbered as in the schema. Every read is within the buffer or throws RangeError. */
export interface FlatTable {
  /** where in the buffer the table is */
  readonly start: number
  byte(slot: number): number
  short(slot: number, otherwise?: number): number
  int(slot: number, otherwise?: number): number
  long(slot: number): bigint
  /** UTF-8 of at most so many bytes; '' where there is none */
  text(slot: number, longest: number): string
  table(slot: number): FlatTable | undefined
  /** of scalars or structs; `size`: bytes an element takes */
  vector(slot: number, size: number): FlatVector
  tables(slot: number): FlatTables
}

/** Nothing is allocated for its elements: the length is what the buffer says, and fits into it. */
interface FlatVector {
  readonly length: number
  long(index: number, offset?: number): bigint
  int(index: number, offset?: number): number
}

interface FlatTables {
  readonly length: number
  at(index: number): FlatTable
}

export function flatRoot(bytes: Uint8Array): FlatTable {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return tableAt(view, view.getUint32(0, true))
}

function tableAt(view: DataView, start: number): FlatTable {
  const vtable = start - view.getInt32(start, true)
  const vtableSize = view.getUint16(vtable, true)

  /** place of a slot's value, or 0 where the slot has its default */
  function place(slot: number): number {
    const entry = 4 + slot * 2
    if (entry + 2 > vtableSize) return 0
    const offset = view.getUint16(vtable + entry, true)
    return offset === 0 ? 0 : start + offset
  }

  /** where the elements of a vector begin, and how many they are */
  function elements(slot: number, size: number): { first: number; length: number } {
    const at = place(slot)
    if (at === 0) return { first: 0, length: 0 }
    const head = at + view.getUint32(at, true)
    const length = view.getUint32(head, true)
    if (head + 4 + length * size > view.byteLength) throw new RangeError('a vector beyond its buffer')
    return { first: head + 4, length }
  }

  return {
    start,
    byte: (slot) => (place(slot) === 0 ? 0 : view.getUint8(place(slot))),
    short: (slot, otherwise = 0) => (place(slot) === 0 ? otherwise : view.getInt16(place(slot), true)),
    int: (slot, otherwise = 0) => (place(slot) === 0 ? otherwise : view.getInt32(place(slot), true)),
    long: (slot) => (place(slot) === 0 ? 0n : view.getBigInt64(place(slot), true)),
    text(slot, longest) {
      const { first, length } = elements(slot, 1)
      if (length > longest) throw new RangeError('a text of impossible length')
      return Buffer.from(view.buffer, view.byteOffset + first, length).toString('utf8')
    },
    table(slot) {
      const at = place(slot)
      return at === 0 ? undefined : tableAt(view, at + view.getUint32(at, true))
    },
    vector(slot, size) {
      const { first, length } = elements(slot, size)
      const at = (index: number, offset: number): number => {
        if (index >= length) throw new RangeError('beyond the end of a vector')
        return first + index * size + offset
      }
      return {
        length,
        long: (index, offset = 0) => view.getBigInt64(at(index, offset), true),
        int: (index, offset = 0) => view.getInt32(at(index, offset), true),
      }
    },
    tables(slot) {
      const { first, length } = elements(slot, 4)
      return {
        length,
        at(index) {
          const entry = first + index * 4
          return tableAt(view, entry + view.getUint32(entry, true))
        },
      }
    },
  }
}
