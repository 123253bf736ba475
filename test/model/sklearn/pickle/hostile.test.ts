// Files made to hang, to crash or to fill the memory: refused, in a moment.
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../../src/errors.ts'
import { unpickle } from '../../../../src/model/sklearn/pickle/unpickle.ts'
import {
  array,
  build,
  bytesOf,
  dict,
  dtype,
  estimator,
  floatArray,
  forest,
  global,
  integer,
  list,
  newObject,
  nodeArray,
  none,
  pickleOf,
  recall,
  reduce,
  remember,
  stump,
  text,
  truth,
  tuple,
} from './assemble.ts'
import { readForest } from './read-pickled.ts'

const raw = (opcodes: string) => Buffer.from(opcodes, 'latin1')

/** Reads a file that must be refused, and measures the work (not the wait for a busy machine). */
function refuse(bytes: Buffer): { message: string; milliseconds: number } {
  const start = process.cpuUsage()
  try {
    readForest(bytes)
  } catch (error) {
    if (!(error instanceof ModelError)) throw error
    const { user, system } = process.cpuUsage(start)
    return { message: error.message, milliseconds: (user + system) / 1000 }
  }
  throw new Error('the file was accepted')
}

const length40 = '\x00\x00\x00\x00\x00\x01\x00\x00'

describe('lengths and indices beyond the file', () => {
  it.each([
    ['bytes of 2^40', raw(`\x80\x04\x8e${length40}abc.`), 'ends too early'],
    ['a bytearray of 2^40', raw(`\x80\x05\x96${length40}abc.`), 'ends too early'],
    ['a text of 2^40', raw(`\x80\x04\x8d${length40}abc.`), 'ends too early'],
    ['a text of 2^63', raw('\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00\x80abc.'), 'ends too early'],
    ['a frame of 2^40', raw(`\x80\x04\x95${length40}K\x01.`), 'ends too early'],
    ['bytes of length −5, a step back to their own opcode', raw('\x80\x03B\xfb\xff\xff\xff.'), 'ends too early'],
    ['an integer of 2^31 bytes', raw('\x80\x02\x8b\x00\x00\x00\x80.'), 'ends too early'],
    ['memo index 2^31', raw('\x80\x02K\x01r\x00\x00\x00\x80.'), 'memo index'],
    ['a memo entry that was never stored', raw('\x80\x02h\x07.'), 'does not exist'],
    [
      'a shape of 2^40',
      pickleOf(forest({ attributes: { classes_: array(dtype('O8'), [2 ** 30, 2 ** 10], list(none)) } })),
      'should have',
    ],
    [
      'elements without size',
      pickleOf(forest({ attributes: { classes_: array(dtype('U0'), [2 ** 30], bytesOf(Buffer.of())) } })),
      'should have',
    ],
    ['a stack that is empty', raw('\x80\x02\x86.'), 'more from its stack'],
    ['a value below a mark', raw('\x80\x02K\x01(\x85.'), 'more from its stack'],
    ['a mark that was never set', raw('\x80\x02t.'), 'never opened'],
    ['text that is not UTF-8', raw('\x80\x02X\x01\x00\x00\x00\xff.'), 'not UTF-8'],
    ['protocol 6', raw('\x80\x06N.'), 'protocol 6'],
    ['a list appended to a number', raw('\x80\x02K\x01K\x02a.'), 'appends to'],
    ['a key without a value', raw('\x80\x02}(K\x01u.'), 'without a value'],
    ['a state given twice', pickleOf(build(build(newObject(global('sklearn.base.Thing')), none), none)), 'twice'],
    ['persistent ids', raw('Pabc\n.'), 'persistent id'],
    ['the extension registry', raw('\x80\x02\x82\x01.'), 'extension registry'],
    ['out-of-band buffers', raw('\x80\x05\x97.'), 'out-of-band'],
    ['an unknown opcode', raw('\x80\x02\xff.'), 'not an instruction'],
  ])('%s', (_, bytes, message) => {
    expect(refuse(bytes).message).toContain(message)
  })

  it('name the byte where it went wrong', () => {
    expect(refuse(raw('\x80\x02NNNN\xff.')).message).toBe('x.pkl: not a pickle: 0xff is not an instruction (byte 7)')
  })
})

describe('arrays of joblib’s', () => {
  const wrapper = (changes: Record<string, Buffer> = {}, name = 'joblib.numpy_pickle.NumpyArrayWrapper') =>
    build(
      newObject(global(name)),
      dict({
        subclass: global('numpy.ndarray'),
        shape: tuple(integer(2)),
        order: text('C'),
        dtype: dtype('f8'),
        ...changes,
      }),
    )
  const classes = (piece: Buffer) => pickleOf(forest({ attributes: { classes_: piece } }))
  const objects = (inner: Buffer) => Buffer.concat([wrapper({ dtype: dtype('O8') }), inner])
  const names = array(dtype('O8'), [2], list(text('no'), text('yes')))
  it.each([
    ['that are cut off', classes(wrapper({ shape: tuple(integer(1_000_000)) })), 'ends too early'],
    ['of 2^80 bytes', classes(wrapper({ shape: tuple(...Array<Buffer>(3).fill(integer(2 ** 30))) })), 'usable shape'],
    ['of a negative length', classes(wrapper({ shape: tuple(integer(-1)) })), 'usable shape'],
    ['without a dtype', classes(wrapper({ dtype: none })), 'for a dtype'],
    ['of another class', classes(wrapper({ subclass: global('numpy.matrix') })), 'an array of the class numpy.matrix'],
    ['of objects that are no array', classes(objects(pickleOf(none))), 'where an array of objects is announced'],
    ['of objects that call', classes(objects(pickleOf(reduce(global('posix.system'), text('id'))))), 'posix.system'],
    ['within arrays', classes(objects(pickleOf(wrapper()))), 'within the elements of an array'],
    ['aligned beyond the file', pickleOf(wrapper({ numpy_array_alignment_bytes: integer(16) })), 'ends too early'],
    ['in other files', pickleOf(wrapper({}, 'joblib.numpy_pickle.NDArrayWrapper')), 'joblib before 0.10'],
  ])('%s are refused', (_, bytes, message) => {
    expect(refuse(bytes).message).toContain(message)
  })

  it('of any dimensions are read over, those of objects and those with alignment too', () => {
    const floats = Buffer.from(Float64Array.of(1, 2).buffer)
    const attributes = {
      none: Buffer.concat([wrapper({ shape: tuple() }), floats.subarray(8)]),
      aligned: Buffer.concat([
        wrapper(
          { numpy_array_alignment_bytes: integer(16) },
          'sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper',
        ),
        Buffer.of(3, 255, 255, 255),
        floats,
      ]),
      classes_: objects(pickleOf(names)),
    }
    expect(readForest(pickleOf(forest({ attributes }))).classes).toEqual(['no', 'yes'])
  })
})

describe('files that would take for ever or fill the memory', { tags: ['long'] }, () => {
  const million = 1_000_000
  const shared = remember(stump, 1)
  it.each([
    ['ten million nested tuples', raw('\x80\x02)' + '\x85'.repeat(10 * million) + '.'), 'far more instructions'],
    ['ten million nested lists', raw('\x80\x02' + ']'.repeat(10 * million) + '.'), 'nested too deeply'],
    ['ten million open marks', raw('\x80\x02' + '('.repeat(10 * million)), 'nested too deeply'],
    ['ten million duplicates', raw('\x80\x02N' + '2'.repeat(10 * million) + 't.'), 'nested too deeply'],
    [
      'five million empty dicts that stay',
      raw('\x80\x04' + '}\x940'.repeat(5 * million) + '.'),
      'far more instructions',
    ],
    [
      'five million empty byte strings that stay',
      raw('\x80\x04' + 'C\x00\x940'.repeat(4 * million) + '.'),
      'far more instructions',
    ],
    ['an integer of a million digits', raw('I' + '1'.repeat(million) + '\n.'), 'a line of'],
    ['an integer without an end', raw('I' + '1'.repeat(million)), 'a line of'],
    [
      'a text of a megabyte, encoded a thousand times',
      Buffer.concat([
        raw('\x80\x02c_codecs\nencode\nq\x00'),
        text('a'.repeat(million)),
        text('latin1'),
        raw('\x86q\x01' + '0h\x00h\x01R'.repeat(1000) + '.'),
      ]),
      'encodes more bytes than the file',
    ],
    [
      'lists of lists of lists that share their parts sixty levels deep',
      raw(
        '\x80\x04]\x94' +
          Array.from(
            { length: 60 },
            (_, i) => `](h${String.fromCharCode(i).repeat(1)}h${String.fromCharCode(i)}e\x94`,
          ).join('') +
          '.',
      ),
      'holds a list of 2',
    ],
    [
      'a forest of one tree named a hundred thousand times',
      pickleOf(forest({ estimators: [shared, ...Array<Buffer>(100_000).fill(recall(1))] })),
      'appears twice',
    ],
  ])('%s', (_, bytes, message) => {
    const { message: said, milliseconds } = refuse(bytes)
    expect(said).toContain(message)
    expect(milliseconds).toBeLessThan(10_000)
  })

  it('many trees over the same nodes', () => {
    const nodes = Array.from({ length: 2001 }, (_, i) =>
      i < 1000 ? { left: 2 * i + 1, right: 2 * i + 2, feature: 0, threshold: i } : {},
    )
    const values = nodes.flatMap(() => [1, 0])
    const first = estimator(nodes, values, remember(nodeArray(nodes), 9))
    const counts = array(dtype('i8'), [1], bytesOf(Buffer.from(BigInt64Array.of(2n).buffer)))
    const again = build(
      newObject(global('sklearn.tree._classes.DecisionTreeClassifier')),
      dict({
        tree_: build(
          reduce(global('sklearn.tree._tree.Tree'), integer(2), counts, integer(1)),
          dict({ node_count: integer(2001), nodes: recall(9), values: recall(8) }),
        ),
      }),
    )
    const values8 = remember(floatArray([2001, 1, 2], values), 8)
    const bytes = pickleOf(
      forest({ estimators: [first, ...Array<Buffer>(1000).fill(again)], attributes: { extra: values8 } }),
    )
    // the memo is filled in the order of the file, so the extra array has to come first
    expect(refuse(Buffer.concat([raw('\x80\x02'), values8, raw('0'), bytes.subarray(2)])).message).toContain(
      'share their nodes',
    )
  })

  it('a dtype whose offset is a scalar of that very dtype', () => {
    const record = remember(reduce(global('numpy.dtype'), text('V8'), integer(0), integer(1)), 5)
    const offset = reduce(global('numpy.core.multiarray.scalar'), recall(5), bytesOf(Buffer.alloc(8)))
    const state = tuple(
      integer(3),
      text('|'),
      none,
      tuple(text('a')),
      dict({ a: tuple(dtype('i8'), offset) }),
      integer(8),
      integer(1),
      integer(0),
    )
    const bytes = pickleOf(
      forest({ attributes: { classes_: array(build(record, state), [1], bytesOf(Buffer.alloc(8))) } }),
    )
    expect(refuse(bytes).message).toContain('outside its record')
  })

  it('an Index that holds itself', () => {
    const inner = remember(dict({}), 3)
    const index = remember(
      reduce(global('pandas.core.indexes.base._new_Index'), global('pandas.core.indexes.base.Index'), inner),
      4,
    )
    const cyclic = Buffer.concat([index, recall(3), text('data'), recall(4), raw('s0')])
    expect(refuse(pickleOf(forest({ attributes: { classes_: cyclic } }))).message).toContain(
      'where a list of names is needed',
    )
  })
})

describe('a forest that is none', () => {
  const leaf = {}
  const root = { left: 1, right: 2, feature: 0, threshold: 0.5 }
  const values = [3, 1, 3, 0, 0, 1]
  const withTree = (...parts: Parameters<typeof estimator>) => pickleOf(forest({ estimators: [estimator(...parts)] }))
  it.each([
    ['a child beyond the tree', withTree([{ ...root, right: 3 }, leaf, leaf], values), 'has the child 3'],
    ['a negative child', withTree([{ ...root, left: -7 }, leaf, leaf], values), 'has the child -7'],
    ['a leaf with one child', withTree([{ ...root, left: -1 }, leaf, leaf], values), 'has the child -1'],
    ['a cycle to the root', withTree([root, { ...root, left: 0, right: 2 }, leaf], values), 'has the child 0'],
    ['a cycle below', withTree([root, leaf, { left: 1, right: 2, feature: 0, threshold: 1 }], values), 'reached twice'],
    ['twins', withTree([{ ...root, right: 1 }, leaf, leaf], values), 'reached twice'],
    ['an unreachable node', withTree([leaf, leaf, leaf], values), 'never reached'],
    ['a feature that is not there', withTree([{ ...root, feature: 2 }, leaf, leaf], values), 'asks for feature 2 of 2'],
    ['a negative feature', withTree([{ ...root, feature: -2 }, leaf, leaf], values), 'asks for feature -2'],
    [
      'a threshold that is no number',
      withTree([{ ...root, threshold: NaN }, leaf, leaf], values),
      'threshold of node 0',
    ],
    ['a leaf of infinities', withTree([root, leaf, leaf], [3, 1, Infinity, 0, 0, 1]), 'do not sum to 1'],
    ['a leaf below zero', withTree([root, leaf, leaf], [3, 1, -3, 6, 0, 1]), 'do not sum to 1'],
    ['fractions that do not sum to 1', withTree([root, leaf, leaf], [0.75, 0.25, 1, 1e-11, 0, 1]), 'do not sum to 1'],
    ['more values than nodes', withTree([root, leaf, leaf], [...values, 1, 1]), 'should have 6 elements'],
    ['no nodes', withTree([], []), 'do not fit together'],
    ['two outputs', pickleOf(forest({ attributes: { n_outputs_: integer(2) } })), '2 outputs'],
    ['three classes said, two there', pickleOf(forest({ attributes: { n_classes_: integer(3) } })), 'n_classes_ is 3'],
    [
      'a class that is there twice',
      pickleOf(forest({ attributes: { classes_: list(text('a'), text('a')) } })),
      'appears twice',
    ],
    ['another number of features', pickleOf(forest({ attributes: { n_features_in_: integer(3) } })), 'n_features is 2'],
    ['no trees', pickleOf(forest({ estimators: [] })), 'a list of 0'],
    [
      'names for other features',
      pickleOf(forest({ attributes: { feature_names_in_: list(text('a')) } })),
      'has 1 names for 2',
    ],
    [
      'a regressor',
      pickleOf(forest({ forestClass: 'sklearn.ensemble._forest.RandomForestRegressor' })),
      'RandomForestRegressor',
    ],
    [
      'a forest that was never fitted',
      pickleOf(newObject(global('sklearn.ensemble._forest.RandomForestClassifier'))),
      'never fitted',
    ],
    ['a bare truth', pickleOf(truth(true)), 'the truth value true'],
  ])('%s', (_, bytes, message) => {
    expect(refuse(bytes).message).toContain(message)
  })

  it('but the one they are made from is one', () => {
    expect(readForest(pickleOf(forest()))).toEqual({
      classes: ['no', 'yes'],
      roots: Uint32Array.of(0),
      feature: Int16Array.of(0, -1, -1),
      threshold: Float64Array.of(0.5, 0, 0),
      left: Uint32Array.of(1, 0, 0),
      leaf: Uint32Array.of(0, 0, 1),
      leaves: Float64Array.of(1, 0, 0, 1),
      cover: new Float64Array(3),
    })
  })

  it('and a leaf of zeros stays one of zeros', () => {
    const bytes = withTree([root, leaf, leaf], [3, 1, 0, 0, 3, 1])
    expect(readForest(bytes).leaves).toEqual(Float64Array.of(0, 0, 0.75, 0.25))
  })
})

it('a file that is cut off anywhere is refused', () => {
  const bytes = pickleOf(forest())
  for (let length = 0; length < bytes.length; length++) {
    expect(() => unpickle(bytes.subarray(0, length), 'x.pkl')).toThrow(ModelError)
  }
})
