// What is no model that a bundle can hold: one line says what it is, the next what to do.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  forest,
  build,
  dict,
  global,
  integer,
  list,
  newObject,
  pickleOf,
  text,
  tuple,
} from '../model/sklearn/pickle/assemble.ts'
import { estimatorFixtures } from '../support/estimator-fixtures.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const work = temporaryFolder()
const instance = (name: string) => pickleOf(newObject(global(name)))

const pca = build(newObject(global('sklearn.decomposition._pca.PCA')), dict({ n_features_in_: integer(2) }))
const pipelineOf = (...steps: Buffer[]) =>
  build(newObject(global('sklearn.pipeline.Pipeline')), dict({ steps: list(...steps) }))

/** A booster of XGBoost's with other text in its file. */
function booster(was: RegExp | string, is: string): Buffer {
  const [fixture] = estimatorFixtures(/^xgb-multi\.json/).filter(({ file }) => file === 'model.json')
  return Buffer.from(fixture!.bytes.toString().replace(was, is))
}

const refused: readonly (readonly [what: string, file: string, bytes: Buffer, message: string, hint: string])[] = [
  [
    'a regressor',
    'm.pkl',
    instance('sklearn.ensemble._forest.RandomForestRegressor'),
    'm.pkl holds a sklearn.ensemble._forest.RandomForestRegressor, which is not a classifier that can be imported',
    'A regressor answers with numbers, not with classes. Train a classifier.',
  ],
  [
    'a ranker',
    'm.pkl',
    instance('xgboost.sklearn.XGBRanker'),
    'm.pkl holds a xgboost.sklearn.XGBRanker',
    'It answers with numbers, not with classes.',
  ],
  [
    'a neural network',
    'm.pkl',
    instance('sklearn.neural_network._multilayer_perceptron.MLPClassifier'),
    'm.pkl holds a sklearn.neural_network._multilayer_perceptron.MLPClassifier',
    'Convert it to ONNX',
  ],
  [
    'a forest of several outputs',
    'm.pkl',
    pickleOf(forest({ attributes: { n_outputs_: integer(2) } })),
    'm.pkl: the forest has 2 outputs (n_outputs_), where 1 is needed',
    'Train one classifier for each output.',
  ],
  [
    'a search whose scores are masked arrays',
    'm.pkl',
    instance('numpy.ma.core._mareconstruct'),
    'm.pkl: refused: needs numpy.ma.core._mareconstruct',
    'save its best_estimator_ instead.',
  ],
  [
    'a cloudpickled function',
    'm.pkl',
    instance('cloudpickle.cloudpickle._make_skeleton_class'),
    'm.pkl: refused: needs cloudpickle.cloudpickle._make_skeleton_class',
    'It holds functions or classes of the program that saved it, which are never run.',
  ],
  [
    'a scaler alone',
    'm.pkl',
    instance('sklearn.preprocessing._data.StandardScaler'),
    'm.pkl holds a sklearn.preprocessing._data.StandardScaler',
    'Save the whole pipeline, with its classifier.',
  ],
  [
    'a pipeline with another step',
    'm.pkl',
    pickleOf(pipelineOf(tuple(text('pca'), pca), tuple(text('forest'), forest()))),
    'm.pkl: step "pca" is a sklearn.decomposition._pca.PCA, which a bundle cannot hold exactly',
    'Steps can be StandardScaler, RobustScaler,',
  ],
  ['a list', 'm.pkl', pickleOf(list(forest())), 'm.pkl holds a list of 1', 'Save the classifier itself'],
  [
    'a file of skops',
    'm.skops',
    Buffer.from('PK\x03\x04 schema.json'),
    'm.skops: is a zip archive',
    'save its classifier',
  ],
  ['a text', 'm.txt', Buffer.from('hello world\n'), 'm.txt: ', 'The file is damaged, or of another kind. Pickles,'],
  [
    'a booster of DART',
    'm.json',
    booster('"name":"gbtree"', '"name":"dart"'),
    'm.json: the booster has the kind "dart", not gbtree, which a bundle cannot hold exactly',
    'Convert it to ONNX',
  ],
  [
    'a linear booster',
    'm.json',
    booster('"name":"gbtree"', '"name":"gblinear"'),
    'm.json: the booster has the kind "gblinear"',
    'Convert it to ONNX',
  ],
  [
    'a booster with categorical splits',
    'm.json',
    booster(/"split_type":\[0/, '"split_type":[1'),
    'm.json: tree 0 has categorical splits, which a bundle cannot hold exactly',
    'Convert it to ONNX',
  ],
  [
    'a booster that is no classifier',
    'm.json',
    booster(/"objective":\{"name":"multi:softprob"/, '"objective":{"name":"reg:squarederror"'),
    'm.json: its objective is "reg:squarederror", which is not a classifier\'s',
    'Boosters of binary:logistic, multi:softprob and multi:softmax can be imported.',
  ],
]

describe('a file that holds no model of ours', () => {
  it.for(refused)('is refused: %s', async ([, file, bytes, message, hint]) => {
    writeFileSync(join(work, file), bytes)
    const { code, stdout, stderr } = await hostedLcclf(
      ['model', 'import', file, '--name', 'm', '--version', '1', '--quiet'],
      { cwd: work, env: { LCCLF_HOME: join(work, 'home') } },
    )
    const lines = stderr.trimEnd().split('\n')

    expect(lines[0]).toContain(message)
    expect(lines[1]).toContain(hint)
    expect([code, stdout, lines.length]).toEqual([4, '', 2])
  })
})
