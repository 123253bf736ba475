// Writes pickles by hand, opcode by opcode, honest and hostile ones.

/** A piece of a pickle. */
export type Piece = Buffer

const op = (code: string) => Buffer.from(code, 'latin1')

/** The opcodes of one pickle, of protocol 2 unless told otherwise. */
export function pickleOf(...pieces: readonly Piece[]): Buffer {
  return Buffer.concat([op('\x80\x02'), ...pieces, op('.')])
}

export const none: Piece = op('N')

export function truth(value: boolean): Piece {
  return op(value ? '\x88' : '\x89')
}

export function text(value: string): Piece {
  const bytes = Buffer.from(value)
  return Buffer.concat([op('X'), uint32(bytes.length), bytes])
}

export function integer(value: number): Piece {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return Buffer.concat([op('J'), bytes])
}

export function bytesOf(value: Uint8Array): Piece {
  return Buffer.concat([op('B'), uint32(value.length), value])
}

export function tuple(...items: readonly Piece[]): Piece {
  return Buffer.concat([op('('), ...items, op('t')])
}

export function list(...items: readonly Piece[]): Piece {
  return Buffer.concat([op(']('), ...items, op('e')])
}

export function dict(entries: Readonly<Record<string, Piece>>): Piece {
  return Buffer.concat([op('}('), ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]), op('u')])
}

/** `module name` as the GLOBAL opcode has it. */
export function global(fullName: string): Piece {
  const dot = fullName.lastIndexOf('.')
  return op(`c${fullName.slice(0, dot)}\n${fullName.slice(dot + 1)}\n`)
}

/** `callee(*args)`. */
export function reduce(callee: Piece, ...args: readonly Piece[]): Piece {
  return Buffer.concat([callee, tuple(...args), op('R')])
}

/** `class.__new__(class, *args)`. */
export function newObject(type: Piece, ...args: readonly Piece[]): Piece {
  return Buffer.concat([type, tuple(...args), op('\x81')])
}

/** An object with a state. */
export function build(object: Piece, state: Piece): Piece {
  return Buffer.concat([object, state, op('b')])
}

/** Stores what a piece pushes under a memo index; `recall` pushes it again. */
export function remember(piece: Piece, index: number): Piece {
  return Buffer.concat([piece, op('r'), uint32(index)])
}

export function recall(index: number): Piece {
  return Buffer.concat([op('j'), uint32(index)])
}

/** A dtype without fields. */
export function dtype(code: string): Piece {
  const made = reduce(global('numpy.dtype'), text(code), integer(0), integer(1))
  return build(made, tuple(integer(3), text('<'), none, none, none, integer(-1), integer(-1), integer(0)))
}

/** A numpy array with these bytes. */
export function array(type: Piece, shape: readonly number[], content: Piece): Piece {
  const made = reduce(
    global('numpy.core.multiarray._reconstruct'),
    global('numpy.ndarray'),
    tuple(integer(0)),
    bytesOf(Buffer.from('b')),
  )
  return build(made, tuple(integer(1), tuple(...shape.map(integer)), type, truth(false), content))
}

/** The dtype of a tree's nodes in scikit-learn before 1.3. */
const nodeType: Piece = (() => {
  const names = [
    'left_child',
    'right_child',
    'feature',
    'threshold',
    'impurity',
    'n_node_samples',
    'weighted_n_node_samples',
  ]
  const codes = ['i8', 'i8', 'i8', 'f8', 'f8', 'i8', 'f8']
  const fields = Object.fromEntries(names.map((name, index) => [name, tuple(dtype(codes[index]!), integer(index * 8))]))
  const made = reduce(global('numpy.dtype'), text('V56'), integer(0), integer(1))
  return build(
    made,
    tuple(integer(3), text('|'), none, tuple(...names.map(text)), dict(fields), integer(56), integer(1), integer(0)),
  )
})()

/** One node: a leaf has −1 for its children. */
export interface NodeParts {
  readonly left?: number
  readonly right?: number
  readonly feature?: number
  readonly threshold?: number
}

/** A tree's node array. */
export function nodeArray(nodes: readonly NodeParts[]): Piece {
  const bytes = Buffer.alloc(nodes.length * 56)
  nodes.forEach(({ left = -1, right = -1, feature = -2, threshold = -2 }, index) => {
    bytes.writeBigInt64LE(BigInt(left), index * 56)
    bytes.writeBigInt64LE(BigInt(right), index * 56 + 8)
    bytes.writeBigInt64LE(BigInt(feature), index * 56 + 16)
    bytes.writeDoubleLE(threshold, index * 56 + 24)
  })
  return array(nodeType, [nodes.length], bytesOf(bytes))
}

/** An array of float64. */
export function floatArray(shape: readonly number[], values: readonly number[]): Piece {
  return array(dtype('f8'), shape, bytesOf(Buffer.from(Float64Array.from(values).buffer)))
}

/** What a hand-made forest may have that an honest one has not. */
export interface ForestParts {
  readonly forestClass?: string
  readonly estimators?: readonly Piece[]
  readonly attributes?: Readonly<Record<string, Piece>>
}

/** A DecisionTreeClassifier of two classes and two features. */
export function estimator(nodes: readonly NodeParts[], values: readonly number[], nodePiece = nodeArray(nodes)): Piece {
  const classCounts = array(dtype('i8'), [1], bytesOf(Buffer.from(BigInt64Array.of(2n).buffer)))
  const made = reduce(global('sklearn.tree._tree.Tree'), integer(2), classCounts, integer(1))
  const tree = build(
    made,
    dict({
      max_depth: integer(3),
      node_count: integer(nodes.length),
      nodes: nodePiece,
      values: floatArray([nodes.length, 1, 2], values),
    }),
  )
  return build(newObject(global('sklearn.tree._classes.DecisionTreeClassifier')), dict({ tree_: tree }))
}

/** A root that asks whether feature 0 is at most 0.5, and two leaves. */
export const stump = estimator([{ left: 1, right: 2, feature: 0, threshold: 0.5 }, {}, {}], [3, 1, 3, 0, 0, 1])

/** A forest of two classes (`no`, `yes`) and two features. */
export function forest({
  forestClass = 'sklearn.ensemble._forest.RandomForestClassifier',
  estimators = [stump],
  attributes = {},
}: ForestParts = {}): Piece {
  return build(
    newObject(global(forestClass)),
    dict({
      n_estimators: integer(estimators.length),
      n_features_in_: integer(2),
      n_outputs_: integer(1),
      n_classes_: integer(2),
      classes_: array(dtype('O8'), [2], list(text('no'), text('yes'))),
      estimators_: list(...estimators),
      ...attributes,
    }),
  )
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
