// What becomes of a call in a pickle: data, an inert placeholder, or the refusal of the file. A list decides.
import type { ByteCursor } from './byte-cursor.ts'
import { describe, isBytes, type PyBytes, PyDict, PyGlobal, PyObject, PySet, PyTuple, type PyValue } from './values.ts'

const strangerHint =
  'Only objects of numpy, pandas, scikit-learn, imbalanced-learn, XGBoost and LightGBM are read. Do not open a file of doubtful origin in Python: it would run the call.'

/** what honest files need that is refused all the same */
const whatToDo: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /^(cloudpickle|dill|__main__)\./,
    'It holds functions or classes of the program that saved it, which are never run. Whoever saved it can save the classifier alone, with pickle or joblib or as ONNX.',
  ],
  [
    /^numpy\.ma\./,
    'A search (GridSearchCV and the like) keeps its scores in such arrays: save its best_estimator_ instead.',
  ],
  [
    /^functools\.partial$/,
    "scikit-learn's gradient boosting with categorical features holds such a call, and a bundle cannot hold them exactly: train without them, or convert it to ONNX and import that file.",
  ],
]

/** joblib's placeholder for an array that follows in the file, today and when scikit-learn had a copy of joblib. */
export const arrayWrappers = ['joblib', 'sklearn.externals.joblib'].map(
  (package_) => `${package_}.numpy_pickle.NumpyArrayWrapper`,
)

/** Python's own, under their names in Python 3 and in Python 2. */
const builtins = (names: string) => names.split(' ').flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`])

/**
 * Which names may be called or constructed, and what is kept of it. `object`: the name, the arguments and the state, for
 * numpy's and scikit-learn's readers, or for nobody. The others: Python's own containers and copyreg's three functions, of
 * which the data is kept. Anything else is refused, be it harmless or not, because a model's pickle has no reason to call it.
 */
const callable = {
  set: builtins('set frozenset'),
  bytes: builtins('bytes bytearray'),
  encode: ['_codecs.encode'],
  dict: ['collections.OrderedDict', 'collections.defaultdict', 'collections.Counter'],
  reconstruct: ['copyreg._reconstructor', 'copy_reg._reconstructor'],
  newobj: ['copyreg.__newobj__', 'copy_reg.__newobj__'],
  newobjEx: ['copyreg.__newobj_ex__', 'copy_reg.__newobj_ex__'],
  object: [
    ...builtins('object complex slice range xrange'),
    ...['numpy.core', 'numpy._core'].flatMap((core) => [
      `${core}.multiarray._reconstruct`,
      `${core}.multiarray.scalar`,
      `${core}.numeric._frombuffer`,
    ]),
    'numpy.dtype',
    'numpy.ndarray',
    'pandas.core.indexes.base._new_Index',
    'pandas.indexes.base._new_Index',
    'pandas.core.index._new_Index',
    'pandas._libs.arrays.__pyx_unpickle_NDArrayBacked',
    'numpy.random.__RandomState_ctor',
    'numpy.random._pickle.__randomstate_ctor',
    'numpy.random._pickle.__bit_generator_ctor',
    'numpy.random._pickle.__generator_ctor',
    'numpy.random.bit_generator.__pyx_unpickle_SeedSequence',
    'datetime.datetime',
    'datetime.date',
    'datetime.timedelta',
    'datetime.timezone',
    'decimal.Decimal',
    'uuid.UUID',
    'pathlib.PosixPath',
    'pathlib.WindowsPath',
    ...arrayWrappers,
  ],
} as const

type CallKind = keyof typeof callable | 'refused'

const kinds = new Map(
  Object.entries(callable).flatMap(([kind, names]) => names.map((name) => [name, kind as CallKind] as const)),
)

// forests hold samplers, pipelines, random generators and parameters made of these packages' classes
const inertPackages = new Set(['sklearn', 'imblearn', 'xgboost', 'lightgbm', 'scipy', 'pandas'])

function callKind(global: PyGlobal): CallKind {
  const known = kinds.get(global.fullName)
  if (known) return known
  if (isJoblib(global)) return 'refused'
  const [root, child] = global.module.split('.')
  const isInert = inertPackages.has(root!) || (root === 'numpy' && child === 'random')
  // a class by Python's convention, of that module itself: `os.system` below sklearn.utils is neither; or a loss of Cython's
  const isClass = isInert && /^_*[A-Z][A-Za-z0-9_]*$/.test(global.name)
  return isClass || isLoss(global) ? 'object' : 'refused'
}

/** What boosters keep of their training; the module had a shorter name in scikit-learn 1.5. */
function isLoss({ module, name }: PyGlobal): boolean {
  return (module === '_loss' || module === 'sklearn._loss._loss') && /^(__pyx_unpickle_)?Cy[A-Z][A-Za-z]*$/.test(name)
}

/** Those of before joblib 0.10 leave the arrays in other files. */
function isJoblib(global: PyGlobal): boolean {
  return /(^|\.)joblib(\.|$)/.test(global.module)
}

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
    if (target instanceof PyGlobal) throw this.#refusal(target)
    if (!(target instanceof PyObject)) {
      // subclasses of dict and list have attributes too; nobody needs them
      if (target instanceof PyDict) return
      throw this.#cursor.error(`gives a state to ${describe(target)}`)
    }
    if (target.state !== undefined) throw this.#cursor.error(`gives ${describe(target)} its state twice`)
    target.state = state
  }

  /** @throws ModelError with the global's name where it may not be called */
  checkName(global: PyGlobal): void {
    if (callKind(global) === 'refused') throw this.#refusal(global)
  }

  #refusal(global: PyGlobal): Error {
    const name = JSON.stringify(global.fullName.slice(0, 200)).slice(1, -1)
    if (isJoblib(global)) {
      return this.#cursor.error(
        `needs ${name} of joblib, which keeps arrays outside the file (joblib before 0.10), or is no array`,
        'In Python: pickle.dump(joblib.load(old), open(new, "wb")), then import the new file.',
      )
    }
    const hint = whatToDo.find(([pattern]) => pattern.test(name))?.[1] ?? strangerHint
    return this.#cursor.error(`refused: needs ${name}, which a model has no reason to call`, hint)
  }

  #callable(callee: PyValue): PyGlobal {
    if (!(callee instanceof PyGlobal)) throw this.#cursor.error(`calls ${describe(callee)}, which is not a function`)
    return callee
  }

  #take(callee: PyGlobal, args: readonly PyValue[]): PyValue {
    const kind = callKind(callee)
    switch (kind) {
      case 'refused':
        throw this.#refusal(callee)
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
        // (class, base class, the base's value): protocol 1
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
    if (kind === 'reconstruct' || kind === 'newobj' || kind === 'newobjEx') throw this.#refusal(callee)
    return this.#take(callee, args)
  }

  #bytes(args: readonly PyValue[]): PyBytes {
    const [content, encoding] = args
    if (content === undefined) return new Uint8Array(0)
    if (isBytes(content)) return content
    if (typeof content === 'string' && typeof encoding === 'string') return this.#encode(args)
    throw this.#cursor.error(`makes bytes of ${describe(content)}`)
  }

  /** `_codecs.encode(text, 'latin1')`: how protocols 1 and 2 write bytes. */
  #encode([text, encoding]: readonly PyValue[]): Uint8Array {
    if (typeof text !== 'string' || (encoding !== 'latin1' && encoding !== 'latin-1')) {
      throw this.#cursor.error(`encodes ${describe(text)} as ${describe(encoding)}`)
    }
    // an honest file encodes each of its texts once; a text of megabytes encoded a million times is an attack
    this.#encoded += text.length
    if (this.#encoded > this.#cursor.size) throw this.#cursor.error('encodes more bytes than the file has')
    const bytes = encodeLatin1(text)
    if (!bytes) throw this.#cursor.error('holds bytes that are not Latin-1')
    return bytes
  }
}

/** The bytes of a text of which every character is one byte; undefined for another text. */
export function encodeLatin1(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'latin1')
  // a character above 255 would lose its upper byte
  return bytes.toString('latin1') === text ? bytes : undefined
}
