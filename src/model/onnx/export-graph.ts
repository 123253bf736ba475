// From a bundle to an ONNX file that other programs can run, checked by the real onnxruntime before it appears.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'
import { drawGoldenInputs } from '../bundle/golden-draw.ts'
import { type Golden, type GoldenComparison, goldenLevels, goldenMatrix, withProduct } from '../bundle/golden.ts'
import { graphOfForests } from './graph-of-forests.ts'
import { proveGraph } from './golden.ts'
import { writeWholeFile } from '../../whole-file.ts'
import type { OpenOnnxRunner } from './runner.ts'
import { evaluatePlainly } from '../bundle/plain-evaluation.ts'
import { type Bundle, readBundle, readChecked } from '../bundle/read-bundle.ts'
import { taxonomyOf } from '../bundle/manifest.ts'

/** How to export. */
interface OnnxExportOptions {
  readonly overwrite: boolean
  /** the classifier's `openOnnxRunner` */
  readonly openRunner: OpenOnnxRunner
}

/** The file that was written. */
interface ExportedOnnx {
  readonly file: string
  readonly size: number
  readonly sha256: string
  /** outputs of the graph in their order, with the classes of their columns */
  readonly outputs: readonly { readonly name: string; readonly classes: readonly string[] }[]
  /** onnxruntime's answers to the bundle's golden rows */
  readonly comparison: GoldenComparison
}

/**
 * Writes a bundle's model as one ONNX file: input float32 [N, features], preprocessed; one output a level, float32
 * [N, classes], the product first; names of features and classes in its metadata. The file appears only after onnxruntime
 * gave its golden answers within 1e-6, and those to inputs on the forests' own thresholds and one float32 beside them.
 *
 * @param directory the bundle's folder
 * @param out the file
 * @throws UsageError for a file that exists; ModelError for a damaged bundle, a model too large for ONNX, or answers that
 *   differ; ServiceError where the file cannot be written, or there is no onnxruntime for this machine
 */
export async function exportOnnx(
  directory: string,
  out: string,
  { overwrite, openRunner }: OnnxExportOptions,
): Promise<ExportedOnnx> {
  if (existsSync(out) && !overwrite) {
    throw new UsageError(`${out}: exists already`, { hint: 'Give another --out, or --overwrite.' })
  }
  const bundle = await readBundle(directory)
  const { manifest, golden } = bundle
  const graph = await graphOf(bundle, directory)
  const runner = await openRunner(graph, { threads: 0, label: out })
  try {
    const { preprocessing } = manifest
    const comparison = await proveGraph(runner, { golden, preprocessing, label: out })
    if (bundle.forests.length > 0) await proveGraph(runner, { golden: drawGolden(bundle), preprocessing, label: out })
    await writeWholeFile(out, graph)
    const names = runner.outputs.map(({ name }) => name)
    const outputs = taxonomyOf(manifest).levels.map(({ classes }, index) => ({ name: names[index]!, classes }))
    const sha256 = createHash('sha256').update(graph).digest('hex')
    return { file: out, size: graph.length, sha256, outputs, comparison }
  } catch (cause) {
    if (cause instanceof LcclfError) throw cause
    throw new ServiceError(`${out}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'Is there room on the disk, and may you write there?',
    })
  } finally {
    await runner.close()
  }
}

async function graphOf(bundle: Bundle, directory: string): Promise<Uint8Array> {
  if (bundle.manifest.kind === 'forest') return graphOfForests(bundle)
  return readChecked(
    directory,
    bundle.manifest.files.find(({ file }) => file === 'model.onnx')!,
  )
}

/** Rows where a threshold that was rounded the wrong way shows, and the forests' own answers. */
function drawGolden({ manifest, forests }: Bundle): Golden {
  const { rowCount, inputs } = drawGoldenInputs(forests, manifest.features.length)
  const oids = Array.from({ length: rowCount }, (_, row) => `drawn${row}`)
  const matrix = goldenMatrix({ rowCount, oids, inputs, expected: [] }, manifest.preprocessing)
  const answers = forests.map((forest) => evaluatePlainly(forest, matrix, rowCount))
  return {
    rowCount,
    oids,
    inputs,
    expected: goldenLevels(taxonomyOf(manifest), withProduct(manifest, answers, rowCount)),
  }
}
