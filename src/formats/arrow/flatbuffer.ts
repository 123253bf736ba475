// Reading a FlatBuffer's tables with every offset and length checked: the generated readers trust them.

/** A table inside a buffer; slots are numbered as in the schema. Every read is within the buffer or throws RangeError. */
export interface FlatTable {
  /** where in the buffer the table is */
  readonly start: number
  byte(slot: number): number
  short(slot: number): number
  long(slot: number): bigint
  table(slot: number): FlatTable | undefined
  /** @param size bytes an element takes */
  vector(slot: number, size: number): FlatVector | undefined
  /** of a vector of tables */
  tables(slot: number): readonly FlatTable[]
}

/** A vector of scalars or structs. */
export interface FlatVector {
  readonly length: number
  /** where in the buffer element `i` begins */
  at(i: number): number
}

/** The root table. */
export function flatRoot(view: DataView): FlatTable {
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

  function vector(slot: number, size: number): FlatVector | undefined {
    const at = place(slot)
    if (at === 0) return undefined
    const head = at + view.getUint32(at, true)
    const length = view.getUint32(head, true)
    if (head + 4 + length * size > view.byteLength) throw new RangeError('a vector beyond its buffer')
    return { length, at: (i) => head + 4 + i * size }
  }

  return {
    start,
    byte: (slot) => (place(slot) === 0 ? 0 : view.getUint8(place(slot))),
    short: (slot) => (place(slot) === 0 ? 0 : view.getInt16(place(slot), true)),
    long: (slot) => (place(slot) === 0 ? 0n : view.getBigInt64(place(slot), true)),
    table(slot) {
      const at = place(slot)
      return at === 0 ? undefined : tableAt(view, at + view.getUint32(at, true))
    },
    vector,
    tables(slot) {
      const found = vector(slot, 4)
      if (!found) return []
      return Array.from({ length: found.length }, (_, i) => {
        const at = found.at(i)
        return tableAt(view, at + view.getUint32(at, true))
      })
    },
  }
}
