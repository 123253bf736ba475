// Golden answers of an ONNX model: float32 cannot give scikit-learn's bits, so they must agree within 1e-6.
import { pickRows, type Taxonomy } from '../../pipeline/batch.ts'
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import { ModelError } from '../../errors.ts'
import {
  acceptableInputs,
  compareGolden,
  describeComparison,
  drawGoldenInputs,
  type Golden,
  type GoldenComparison,
  goldenLevels,
  goldenMatrix,
  isWithinTolerance,
  onnxTolerance,
  readGoldenFiles,
  type Splits,
} from '../bundle/golden.ts'
import type { ProvenGolden } from '../bundle/write-bundle.ts'
import { attributeNamed, numbersOf, type OnnxDocument, type OnnxNode } from './document.ts'
import type { OnnxRunner } from './runner.ts'

/**
 * Runs a graph on golden rows.
 *
 * @throws ModelError naming the worst difference where it is not within the tolerance
 */
export async function proveGraph(
  runner: OnnxRunner,
  { golden, preprocessing, label }: { golden: Golden; preprocessing: Preprocessing; label: string },
): Promise<GoldenComparison> {
  const answers = await runner.run(goldenMatrix(golden, preprocessing), golden.rowCount)
  const comparison = compareGolden(golden, answers)
  if (isWithinTolerance(comparison)) return comparison
  const difference = describeComparison(comparison)
  throw new ModelError(`${label}: the golden answers are not reproduced within 1e-6: ${difference}`, {
    hint: 'Are they those of this very model, and were its thresholds rounded down to float32 when it was converted?',
  })
}

/** An imported model as far as it is known. */
interface UnprovenGraph {
  readonly features: readonly string[]
  readonly preprocessing: Preprocessing
  readonly taxonomy: Taxonomy
  readonly splits: readonly Splits[]
  /** the file, for messages */
  readonly label: string
}

/**
 * Takes the trainer's answers from `directory` and holds the graph to them; without a folder, keeps what the graph itself
 * answers now, so that a later onnxruntime or another machine that answers otherwise is noticed.
 *
 * @throws ModelError where the answers are not reproduced, or are not probabilities
 */
export async function makeOnnxGolden(
  runner: OnnxRunner,
  model: UnprovenGraph,
  directory: string | undefined,
): Promise<ProvenGolden> {
  const { features, preprocessing, taxonomy, label } = model
  if (directory === undefined) return workOut(runner, model)
  const { golden, source } = await readGoldenFiles(directory, { features, taxonomy })
  await proveGraph(runner, { golden, preprocessing, label })
  await checkAnswers(runner, model, golden)
  return { golden, source, warnings: [] }
}

async function workOut(runner: OnnxRunner, model: UnprovenGraph): Promise<ProvenGolden> {
  const { features, preprocessing, taxonomy, label } = model
  const drawn = acceptableInputs(drawInputs(model.splits, features.length), preprocessing)
  const answers = await runner.run(goldenMatrix(drawn, preprocessing), drawn.rowCount)
  const golden = finiteRows({ ...drawn, expected: goldenLevels(taxonomy, answers) }, features.length)
  if (golden.rowCount === 0) {
    throw new ModelError(`${label}: its answers to every drawn input are not numbers`, {
      hint: 'Give real inputs and their answers with --golden DIR.',
    })
  }
  await checkAnswers(runner, model, golden)
  return {
    golden,
    source: `onnxruntime ${runner.runtimeVersion} at import`,
    warnings: [
      `${label}: no golden answers were given, so it is not known whether the graph answers as its trainer meant; ` +
        '--golden DIR gives them',
    ],
  }
}

/** Moderate values: what has no trees may well fail far from where it was trained. */
const plainValues = [0.001, 0.01, 0.1, 0.3, 1, 2, 3, 10, 30, 100, 300, 1000].flatMap((value) => [value, -value])

function drawInputs(splits: readonly Splits[], featureCount: number): Golden {
  if (splits.length > 0) return drawGoldenInputs(splits, featureCount)
  const count = featureCount * plainValues.length
  const plain = {
    feature: Int16Array.from({ length: count }, (_, index) => index % featureCount),
    threshold: Float64Array.from({ length: count }, (_, index) => plainValues[Math.floor(index / featureCount)]!),
  }
  const drawn = drawGoldenInputs([plain], featureCount)
  return { ...drawn, inputs: drawn.inputs.map((value) => (Math.abs(value) > 1e6 ? NaN : value)) }
}

function finiteRows(golden: Golden, featureCount: number): Golden {
  const { expected, inputs, oids } = golden
  const rows = [...oids.keys()].filter((row) =>
    expected.every(({ classes, probabilities }) =>
      probabilities.subarray(row * classes.length, (row + 1) * classes.length).every(Number.isFinite),
    ),
  )
  return {
    rowCount: rows.length,
    oids: rows.map((row) => oids[row]!),
    inputs: pickRows(inputs, rows, featureCount),
    expected: expected.map(({ probabilities, ...level }) => {
      return { ...level, probabilities: pickRows(probabilities, rows, level.classes.length) }
    }),
  }
}

/** Other batches than the whole: a graph whose answer to a row depends on the rows beside it is not a classifier. */
const fewRows = 7

/** @throws ModelError where answers are not probabilities, or depend on the batch */
async function checkAnswers(runner: OnnxRunner, model: UnprovenGraph, golden: Golden): Promise<void> {
  const { preprocessing, features, label } = model
  for (const { classifierName, classes, probabilities } of golden.expected) {
    for (let row = 0; row < golden.rowCount; row++) {
      const values = probabilities.subarray(row * classes.length, (row + 1) * classes.length)
      const sum = values.reduce((total, value) => total + value, 0)
      if (values.every((value) => value >= -onnxTolerance) && Math.abs(sum - 1) < 1e-3) continue
      const problem = `its answers are not probabilities: row ${row} of ${classifierName} sums to ${sum}`
      throw new ModelError(`${label}: ${problem}`, {
        hint: 'Export the model with the probabilities of its classes as output, not scores or labels.',
      })
    }
  }
  const matrix = goldenMatrix(golden, preprocessing)
  const parts: Float64Array[][] = []
  for (let row = 0; row < golden.rowCount; row += fewRows) {
    const rows = Math.min(fewRows, golden.rowCount - row)
    parts.push(await runner.run(matrix.slice(row * features.length, (row + rows) * features.length), rows))
  }
  const inParts = golden.expected.map((_, level) => Float64Array.from(parts.flatMap((part) => [...part[level]!])))
  const comparison = compareGolden(golden, inParts)
  if (isWithinTolerance(comparison)) return
  throw new ModelError(`${label}: its answer to a row depends on the rows beside it: ${describeComparison(comparison)}`)
}

// The thresholds of the trees in an ONNX graph: where two inputs, one bit apart, get different answers.

/** The splits of every tree ensemble that asks the graph's own features; none where the model is something else. */
export function splitsOf({ nodes, inputs }: OnnxDocument): Splits[] {
  const asking = nodes.filter((node) => node.operator.startsWith('TreeEnsemble') && node.inputs[0] === inputs[0]?.name)
  return asking.map(readSplits).filter(({ feature }) => feature.length > 0)
}

function readSplits(node: OnnxNode): Splits {
  const features = numbersOf(attributeNamed(node, 'nodes_featureids'), 8, (packed) => packed.int32())
  const values = numbersOf(attributeNamed(node, 'nodes_values'), 7, (packed) => packed.float())
  // leaves ask for feature 0 and have the value 0
  const isSplit = (index: number) => (features[index] ?? 0) !== 0 || (values[index] ?? 0) !== 0
  const kept = Array.from(features.keys()).filter((index) => isSplit(index) && index < values.length)
  return {
    feature: Int16Array.from(kept, (index) => features[index]!),
    threshold: Float64Array.from(kept, (index) => values[index]!),
  }
}
