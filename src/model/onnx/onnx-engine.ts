// An ONNX graph as a classifier, by onnxruntime: any ONNX model, and the cross-check of the forest engine.
import { join } from 'node:path'
import type { ClassifiedBatch, ModelIdentity } from '../../pipeline/batch.ts'
import { ModelError } from '../../errors.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import { prepareMatrix } from '../../pipeline/preprocess.ts'
import { taxonomyOf } from '../bundle/manifest.ts'
import type { Bundle } from '../bundle/read-bundle.ts'
import { withoutUnanswered } from '../unanswered.ts'
import { forestGraph } from './forest-graph.ts'
import { openOnnxRunner } from './runner.ts'

/**
 * A classifier over an ONNX graph. Its probabilities are float32, so they are within 1e-6 of scikit-learn's, not equal.
 *
 * @param model `graph`: the path of an ONNX file, or its bytes; its outputs are the levels of the taxonomy, in their order
 * @param threads for the graph's operators, beside the one that asks; 0 for one for each core
 * @throws ModelError for a graph that cannot be loaded or does not fit the model
 */
export async function openOnnxClassifier(
  model: Pick<Classifier, 'taxonomy' | 'identity' | 'features' | 'preprocessing'> & { graph: string | Uint8Array },
  threads: number,
): Promise<Classifier> {
  const { graph, taxonomy, identity, features, preprocessing } = model
  const { levels } = taxonomy
  const runner = await openOnnxRunner(graph, { threads, label: identity.classifierVersion })
  const [, columns] = runner.inputs[0]!.shape ?? []
  if (runner.outputs.length !== levels.length || (typeof columns === 'number' && columns !== features.length)) {
    await runner.close()
    throw new ModelError(
      `${identity.classifierVersion}: the graph has ${columns} features and ${runner.outputs.length} outputs, ` +
        `the manifest ${features.length} features and ${levels.length} levels`,
      { hint: 'The bundle is damaged: copy it again, or import the model again.' },
    )
  }
  return {
    identity,
    features,
    preprocessing,
    taxonomy,
    // one batch is under way, the next is ready when it is done
    parallelism: 2,
    async classify(batch): Promise<ClassifiedBatch> {
      prepareMatrix(batch, model)
      const { matrix, rowCount, oids, candids, mjds, echo, messages } = batch
      const probabilities = await runner.run(matrix, rowCount)
      levels.forEach(({ classifierName, classes }, index) => {
        if (probabilities[index]!.length === rowCount * classes.length) return
        throw new ModelError(
          `${identity.classifierVersion}: the graph gives ${probabilities[index]!.length / rowCount} columns for ` +
            `${classifierName}, which has ${classes.length} classes`,
        )
      })
      const ids = { rowCount, oids, candids, mjds, classifierVersion: identity.classifierVersion }
      return withNumbersOnly({ ...ids, taxonomy, probabilities, echo, messages })
    },
    close: () => runner.close(),
  }
}

/**
 * Opens any bundle with onnxruntime: one with `model.onnx` as it is, one of forests by way of its graph.
 *
 * @param options the bundle's folder; `cacheFolder`: where the graphs of forests are kept, made where it is missing, and
 *   done without where it cannot be written
 * @throws ModelError for a graph that cannot be loaded or does not fit the model
 */
export async function openOnnxEngine(
  bundle: Bundle,
  options: { directory: string; cacheFolder: string; identity: ModelIdentity; threads: number },
): Promise<Classifier> {
  const { manifest } = bundle
  const { directory, cacheFolder, identity, threads } = options
  const { features, preprocessing, files } = manifest
  const rest = { taxonomy: taxonomyOf(manifest), identity, features, preprocessing }
  const own = files.find(({ file }) => file === 'model.onnx')
  if (own) return openOnnxClassifier({ ...rest, graph: join(directory, own.file) }, threads)
  const { graph, isFresh } = await forestGraph(bundle, cacheFolder)
  try {
    return await openOnnxClassifier({ ...rest, graph }, threads)
  } catch (error) {
    // whatever became of the file in the cache, the bundle has all that is needed
    if (isFresh || !(error instanceof ModelError)) throw error
    const made = await forestGraph(bundle, cacheFolder, { again: true })
    return openOnnxClassifier({ ...rest, graph: made.graph }, threads)
  }
}

const reason = 'the model answers with something that is not a number'

/**
 * Without the rows that have a NaN or an infinity among their probabilities. Networks and regressions answer so to very large
 * features; a forest never does.
 */
function withNumbersOnly(batch: ClassifiedBatch): ClassifiedBatch {
  const { probabilities, taxonomy } = batch
  if (probabilities.every((level) => level.every(Number.isFinite))) return batch
  const widths = taxonomy.levels.map(({ classes }) => classes.length)
  return withoutUnanswered(batch, (row) => {
    const areNumbers = probabilities.every((level, i) =>
      level.subarray(row * widths[i]!, (row + 1) * widths[i]!).every(Number.isFinite),
    )
    return areNumbers ? undefined : reason
  })
}
