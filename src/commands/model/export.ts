// lcclf model export: a bundle for other programs.
import * as Flags from '@oclif/core/flags'
import { exportModel } from '../../jobs/models/export.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'
import { modelArgument } from '../../terminal/model-flags.ts'

export default class ModelExport extends BaseCommand {
  static override summary = 'Write a model as one ONNX graph, or its bundle as one .tar.gz'
  static override description = [
    'onnx: the whole hierarchy in one graph, with float32 features in (preprocessed) and one output per level. The graph appears only if onnxruntime reproduces the golden answers within 1e-6. Each node keeps its rule for missing values. XGBoost and GradientBoosting are written as their sums; LightGBM, HistGradientBoosting, pipelines and calibrated classifiers are not representable and are refused.',
    'tar.gz: the verified bundle, which lcclf model pull reads. The same bundle always gives the same bytes.',
  ].join('\n\n')
  static override examples = [
    'lcclf model export ./bundle --format onnx --out hierarchy.onnx',
    'lcclf model export my_forest@2.1 --format tar.gz --out my_forest_2.1.tar.gz',
  ]
  static override args = modelArgument
  static override flags = {
    format: Flags.option({ options: ['onnx', 'tar.gz'] as const, required: true, description: 'what to write' })(),
    out: Flags.string({ required: true, helpValue: 'FILE', description: 'file to write' }),
    overwrite: Flags.boolean({ description: 'replace an existing file' }),
    ...jsonFlags,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelExport)
    await exportModel(args.ref, flags)
  }
}
