// What comes of a call in a pickle: data, an inert placeholder, or the refusal of the file.
import { callKind, isJoblib } from './globals.ts'
import type { ByteCursor } from './byte-cursor.ts'
import { describe, PyDict, PyGlobal, PyObject, PySet, PyTuple } from './values.ts'
import type { PyValue } from './values.ts'

/** Takes the calls of one pickle. Nothing is ever run: a call becomes a value that remembers what was to be called. */
export class Calls {
  readonly #cursor: ByteCursor
  #encoded = 0

  constructor(cursor: ByteCursor) {
    this.#cursor = cursor
  }

  /**
   * `callee(*args)`, or `callee.__new__(callee, *args)`.
   *
   * @throws ModelError with the global's name where it is none that a model's pickle needs to call
   */
  call(callee: PyValue, args: PyValue): PyValue {
    if (!(args instanceof PyTuple)) throw this.#cursor.error(`calls with ${describe(args)} in place of arguments`)
    return this.#take(this.#callable(callee), args.items)
  }

  /** BUILD: gives an instance its state. */
  build(target: PyValue, state: PyValue): void {
    if (target instanceof PyGlobal) throw this.refusal(target)
    if (!(target instanceof PyObject)) {
      // subclasses of dict and list have attributes too; nobody needs them
      if (target instanceof PyDict) return
      throw this.#cursor.error(`gives a state to ${describe(target)}`)
    }
    if (target.state !== undefined) throw this.#cursor.error(`gives ${describe(target)} its state twice`)
    target.state = state
  }

  /** The error for a global that would have to be called. */
  refusal(global: PyGlobal): Error {
    const name = JSON.stringify(global.fullName.slice(0, 200)).slice(1, -1)
    if (isJoblib(global)) {
      return this.#cursor.error(
        `was written by joblib (needs ${name}), which keeps the arrays outside the pickle`,
        'In Python: pickle.dump(joblib.load(old), open(new, "wb")), then import the new file.',
      )
    }
    return this.#cursor.error(
      `refused: needs ${name}, which a model has no reason to call`,
      'Only numpy, pandas, scikit-learn and imbalanced-learn objects are read. Do not open a file of doubtful origin in Python: it would run the call.',
    )
  }

  #callable(callee: PyValue): PyGlobal {
    if (!(callee instanceof PyGlobal)) throw this.#cursor.error(`calls ${describe(callee)}, which is no function`)
    return callee
  }

  #take(callee: PyGlobal, args: readonly PyValue[]): PyValue {
    const kind = callKind(callee)
    switch (kind) {
      case 'refused':
        throw this.refusal(callee)
      case 'object':
        return new PyObject(callee, args)
      case 'dict':
        return new PyDict()
      case 'set':
        return new PySet()
      case 'bytes':
        return this.#bytes(args)
      case 'encode':
        return this.#encode(args)
      case 'reconstruct':
        // (class, base class, the base's value): protocols 0 and 1
        return this.#instance(args[0], [])
      case 'newobj':
        return this.#instance(args[0], args.slice(1))
      case 'newobjEx':
        return this.#instance(args[0], args[1] instanceof PyTuple ? args[1].items : [])
      default:
        return kind satisfies never
    }
  }

  #instance(type: PyValue | undefined, args: readonly PyValue[]): PyValue {
    const callee = this.#callable(type ?? null)
    const kind = callKind(callee)
    if (kind === 'reconstruct' || kind === 'newobj' || kind === 'newobjEx') throw this.refusal(callee)
    return this.#take(callee, args)
  }

  #bytes(args: readonly PyValue[]): Uint8Array {
    const [content, encoding] = args
    if (content === undefined) return new Uint8Array(0)
    if (content instanceof Uint8Array) return content
    if (typeof content === 'string' && typeof encoding === 'string') return this.#encode(args)
    throw this.#cursor.error(`makes bytes of ${describe(content)}`)
  }

  /** `_codecs.encode(text, 'latin1')`: how protocols 0 to 2 write bytes. */
  #encode(args: readonly PyValue[]): Uint8Array {
    const [text, encoding] = args
    if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
      throw this.#cursor.error(`encodes ${describe(text)} as ${describe(encoding)}`)
    }
    // an honest file encodes each of its texts once; a text of megabytes encoded a million times is an attack
    this.#encoded += text.length
    if (this.#encoded > this.#cursor.bytes.length) throw this.#cursor.error('encodes more bytes than the file has')
    return encodeLatin1(text) ?? this.#notLatin1()
  }

  #notLatin1(): never {
    throw this.#cursor.error('holds bytes that are not Latin-1')
  }
}

/** The bytes of a text of which every character is one byte; undefined for another text. */
export function encodeLatin1(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'latin1')
  // a character above 255 would lose its upper byte
  return bytes.toString('latin1') === text ? bytes : undefined
}
