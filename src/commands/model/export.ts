// lcclf model export: a bundle for other programs.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { exportModel } from '../../jobs/models/export.ts'
import { modelArgument } from '../../terminal/flags.ts'

export default class ModelExport extends BaseCommand {
  static override summary = 'Write a model as one ONNX graph, or its bundle as one .tar.gz'

  static override description = `onnx: the whole hierarchy in one graph: float32 features in (preprocessed), one output for each level. The graph appears
only after onnxruntime gave the golden answers within 1e-6. tar.gz: the verified bundle, which lcclf model pull reads; the
same bundle gives the same bytes.`

  static override examples = [
    '<%= config.bin %> model export ./bundle --format onnx --out hierarchy.onnx',
    '<%= config.bin %> model export my_forest@2.1 --format tar.gz --out my_forest_2.1.tar.gz',
  ]

  static override args = modelArgument

  static override flags = {
    format: Flags.option({ options: ['onnx', 'tar.gz'] as const, required: true, description: 'what to write' })(),
    out: Flags.string({ required: true, helpValue: 'FILE', description: 'file to write' }),
    overwrite: Flags.boolean({ description: 'replace a file that exists' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelExport)
    await exportModel(args.reference, flags)
  }
}
