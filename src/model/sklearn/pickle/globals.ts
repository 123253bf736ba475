// Which names of a pickle may be called or constructed: a list, and nothing beside it.
import type { PyGlobal } from './values.ts'

/**
 * What to do where a pickle calls a global. `object`: keep the name, the arguments and the state, for numpy's and
 * scikit-learn's readers, or for nobody. `dict`, `bytes`, `encode`, `set`, `reconstruct`, `newobj`: Python's own
 * containers and copyreg's three functions, of which the data is kept. `refused`: anything else, be it harmless or not,
 * because a model's pickle has no reason to call it.
 */
type CallKind = 'object' | 'dict' | 'bytes' | 'encode' | 'set' | 'reconstruct' | 'newobj' | 'newobjEx' | 'refused'

const builtins: readonly (readonly [CallKind, string])[] = [
  ['set', 'set frozenset'],
  ['bytes', 'bytes bytearray'],
  ['object', 'object complex slice range xrange'],
]

const exactNames: readonly (readonly [CallKind, readonly string[]])[] = [
  ['encode', ['_codecs.encode']],
  ['dict', ['collections.OrderedDict', 'collections.defaultdict', 'collections.Counter']],
  ['reconstruct', ['copyreg._reconstructor', 'copy_reg._reconstructor']],
  ['newobj', ['copyreg.__newobj__', 'copy_reg.__newobj__']],
  ['newobjEx', ['copyreg.__newobj_ex__', 'copy_reg.__newobj_ex__']],
  [
    'object',
    [
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
    ],
  ],
]

const kinds = new Map<string, CallKind>([
  ...builtins.flatMap(([kind, names]) =>
    names
      .split(' ')
      .flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`].map((full) => [full, kind] as const)),
  ),
  ...exactNames.flatMap(([kind, names]) => names.map((name) => [name, kind] as const)),
])

// forests hold samplers, pipelines, random generators and parameters made of these packages' classes
const inertPackages = new Set(['sklearn', 'imblearn', 'scipy', 'pandas'])

/** How a call of this global is to be taken. */
export function callKind(global: PyGlobal): CallKind {
  const known = kinds.get(global.fullName)
  if (known) return known
  const parts = global.module.split('.')
  if (isJoblib(global)) return 'refused'
  const isInert = inertPackages.has(parts[0]!) || (parts[0] === 'numpy' && parts[1] === 'random')
  // a class by Python's convention, of that module itself: `os.system` below sklearn.utils is neither
  return isInert && /^_*[A-Z][A-Za-z0-9_]*$/.test(global.name) ? 'object' : 'refused'
}

/** Whether it is one of joblib's own, which leave the arrays outside the pickle. */
export function isJoblib(global: PyGlobal): boolean {
  return /(^|\.)joblib(\.|$)/.test(global.module)
}
