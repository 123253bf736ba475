// A pickle that would have to call something is refused, by name; a name that is only mentioned is not.
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../../src/errors.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'
import {
  build,
  dict,
  forest,
  global,
  integer,
  list,
  newObject,
  none,
  pickleOf,
  reduce,
  stump,
  text,
  tuple,
} from './assemble.ts'
import { readForest } from './read-pickled.ts'

const dangerous = [
  'posix.system',
  'os.system',
  'nt.system',
  'builtins.eval',
  'builtins.exec',
  'builtins.getattr',
  '__builtin__.eval',
  'builtins.__import__',
  'subprocess.Popen',
  'subprocess.check_output',
  'importlib.import_module',
  'operator.attrgetter',
  'functools.partial',
  'runpy._run_code',
  'numpy.testing._private.utils.runstring',
  'numpy.load',
  'sklearn.utils.os.system',
  'sklearn.utils.fixes.parse_version',
  'sklearn.externals.joblib.parallel.Parallel',
  'imblearn.utils.os',
  'pandas.io.common.get_handle',
  'pandas.read_pickle',
  'cloudpickle.cloudpickle._make_function',
  '__main__.Payload',
  'sklearn.ensemble._forest.sub.dotted name',
]

const system = global('posix.system')

describe('a call of what is not on the list', () => {
  it.each(dangerous)('%s is refused by REDUCE and NEWOBJ, and named', (name) => {
    for (const call of [reduce(global(name), text('id')), newObject(global(name), text('id'))]) {
      expect(() => unpickle(pickleOf(call), 'x.pkl')).toThrow(ModelError)
      expect(() => unpickle(pickleOf(call), 'x.pkl')).toThrow(`needs ${name}`)
    }
  })

  it.each([
    ['INST', Buffer.from('(U\x02idiposix\nsystem\n.')],
    ['OBJ', Buffer.from('(cposix\nsystem\nU\x02ido.')],
    ['NEWOBJ_EX', pickleOf(system, tuple(text('id')), dict({}), Buffer.from([0x92]))],
    ['BUILD', pickleOf(build(system, dict({ a: none })))],
    ['STACK_GLOBAL', Buffer.from('\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.', 'latin1')],
    ['a dotted STACK_GLOBAL', Buffer.from('\x80\x04\x8c\x0dsklearn.utils\x8c\x0cposix.system\x93)R.', 'latin1')],
    [
      'copyreg._reconstructor',
      pickleOf(reduce(global('copy_reg._reconstructor'), system, global('__builtin__.object'), none)),
    ],
    ['copyreg.__newobj__', pickleOf(reduce(global('copyreg.__newobj__'), system, text('id')))],
    ['copyreg.__newobj_ex__', pickleOf(reduce(global('copyreg.__newobj_ex__'), system, tuple(text('id')), dict({})))],
  ])('is refused by %s', (_, bytes) => {
    expect(() => unpickle(bytes, 'x.pkl')).toThrow(/needs (sklearn\.utils\.)?posix\.system/)
  })

  it('is refused however deep it hides in a forest', () => {
    const attributes = { class_weight: list(tuple(dict({ key: reduce(system, text('id')) }))) }
    expect(() => readForest(pickleOf(forest({ attributes })))).toThrow('needs posix.system')
  })

  it('says what to do about a file of joblib whose arrays are in other files', () => {
    const wrapper = newObject(global('joblib.numpy_pickle_compat.NDArrayWrapper'))
    const error = catchError(() => unpickle(pickleOf(wrapper), 'x.pkl'))
    expect(error.message).toContain('joblib before 0.10')
    expect(error.hint).toContain('joblib.load')
  })

  it('does not let a reconstruction of a reconstruction through', () => {
    const nested = reduce(global('copyreg.__newobj__'), global('copyreg.__newobj__'), system)
    expect(() => unpickle(pickleOf(nested), 'x.pkl')).toThrow('needs copyreg.__newobj__')
  })
})

describe('a name that is not called', () => {
  it('stays a name, and the forest is read', () => {
    const attributes = { oob_score: system, criterion: global('my.package.Criterion') }
    expect(readForest(pickleOf(forest({ attributes }))).classes).toEqual(['no', 'yes'])
  })

  it.each([
    ['estimators_', { estimators_: system }, 'estimators_ is posix.system'],
    ['a tree', { estimators_: list(stump, system) }, 'tree 1 is posix.system'],
    ['classes_', { classes_: system }, 'classes_ is posix.system'],
    ['n_classes_', { n_classes_: system }, 'n_classes_ is posix.system'],
  ])('is refused where it is needed: %s', (_, attributes, message) => {
    expect(() => readForest(pickleOf(forest({ attributes })))).toThrow(message)
  })

  it('lets the objects of samplers, pipelines and generators through as placeholders', () => {
    const attributes = {
      base_sampler_: newObject(
        global('imblearn.under_sampling._prototype_selection._random_under_sampler.RandomUnderSampler'),
      ),
      pipelines_: list(newObject(global('imblearn.pipeline.Pipeline'))),
      random_state: build(
        reduce(global('numpy.random._pickle.__randomstate_ctor'), text('MT19937')),
        dict({ pos: integer(1) }),
      ),
    }
    expect(readForest(pickleOf(forest({ attributes }))).roots.length).toBe(1)
  })
})

function catchError(work: () => unknown): ModelError {
  try {
    work()
  } catch (error) {
    if (error instanceof ModelError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
