// From a bundle to an ONNX file that other programs can run, checked by the real onnxruntime before it appears.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { alreadyThere, writeWholeFile } from '../../whole-file.ts'
import { ModelError } from '../../errors.ts'
import { evaluateBundle } from '../bundle/evaluate-bundle.ts'
import { acceptableInputs, drawGoldenInputs, type Golden, goldenLevels, goldenMatrix } from '../bundle/golden.ts'
import { taxonomyOf } from '../bundle/manifest.ts'
import { whyNotOnnx } from '../bundle/parts.ts'
import { type Bundle, readBundle, readChecked } from '../bundle/read-bundle.ts'
import { graphOfForests } from './forest-graph.ts'
import { proveGraph } from './golden.ts'
import { openOnnxRunner } from './runner.ts'

/**
 * Writes a bundle's model as one ONNX file: input float32 [N, features], preprocessed; one output a level, float32
 * [N, classes], the product first; names of features and classes in its metadata. The file appears only after onnxruntime
 * gave its golden answers within 1e-6, and those to inputs on the forests' own thresholds and one float32 beside them.
 *
 * @param directory the bundle's folder
 * @param out the file
 * @returns `outputs` of the graph in their order, with the classes of their columns; `comparison` of onnxruntime's answers
 *   to the bundle's golden rows
 * @throws UsageError for a file that exists; ModelError for a damaged bundle, a model that ONNX does not carry or that is too
 *   large for it, or answers that differ; ServiceError where the file cannot be written, or there is no onnxruntime for this machine
 */
export async function exportOnnx(directory: string, out: string, { overwrite }: { overwrite: boolean }) {
  if (existsSync(out) && !overwrite) throw alreadyThere(out)
  const bundle = await readBundle(directory)
  const { manifest, golden } = bundle
  const why = whyNotOnnx(bundle)
  if (why !== undefined) {
    throw new ModelError(`${directory}: cannot be exported as ONNX: ${why}`, {
      hint: 'Export the bundle itself with --format tar.gz.',
    })
  }
  const own = manifest.files.find(({ file }) => file === 'model.onnx')
  const graph = own ? await readChecked(directory, own) : graphOfForests(bundle)
  const runner = await openOnnxRunner(graph, { threads: 0, label: out })
  try {
    const { preprocessing } = manifest
    const comparison = await proveGraph(runner, { golden, preprocessing, label: out })
    if (!own) await proveGraph(runner, { golden: drawGolden(bundle), preprocessing, label: out })
    await writeWholeFile(out, graph, { overwrite })
    const names = runner.outputs.map(({ name }) => name)
    const outputs = taxonomyOf(manifest).levels.map(({ classes }, index) => ({ name: names[index]!, classes }))
    const sha256 = createHash('sha256').update(graph).digest('hex')
    return { file: out, size: graph.length, sha256, outputs, comparison }
  } finally {
    await runner.close()
  }
}

/** Rows where a threshold that was rounded the wrong way shows, or a rule for missing values, and the trees' own answers. */
function drawGolden(bundle: Bundle): Golden {
  const { manifest, forests } = bundle
  const drawn = drawGoldenInputs(forests, manifest.features.length, 'drawn')
  // once more with many values missing
  const inputs = Float64Array.of(...drawn.inputs, ...drawn.inputs.map((value, i) => ((i * 7) % 11 < 4 ? NaN : value)))
  const both = { rowCount: 2 * drawn.rowCount, oids: [...drawn.oids, ...drawn.oids], inputs }
  const rows = acceptableInputs(both, manifest.preprocessing)
  const { probabilities } = evaluateBundle(bundle, goldenMatrix(rows, manifest.preprocessing), rows.rowCount)
  return { ...rows, expected: goldenLevels(taxonomyOf(manifest), probabilities) }
}
