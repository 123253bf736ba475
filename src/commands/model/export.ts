// lcclf model export: a bundle for other programs.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../cli/base-command.ts'
import { exportModel } from '../../cli/export-model.ts'
import { modelFlag } from '../../cli/flags.ts'

export default class ModelExport extends BaseCommand {
  static override summary = 'Write a model as one ONNX graph'

  static override description = `The whole hierarchy in one graph: float32 features in (preprocessed), one output for each level. The graph appears only
after onnxruntime gave the golden answers within 1e-6.`

  static override examples = ['<%= config.bin %> model export ./bundle --format onnx --out hierarchy.onnx']

  static override args = {
    reference: Args.string({ name: 'REF', description: modelFlag.model.description!, required: true }),
  }

  static override flags = {
    format: Flags.option({ options: ['onnx'] as const, required: true, description: 'what to write' })(),
    out: Flags.string({ required: true, helpValue: 'FILE', description: 'file to write' }),
    overwrite: Flags.boolean({ description: 'replace a file that exists' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelExport)
    await exportModel(args.reference, flags)
  }
}
