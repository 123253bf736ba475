// lcclf model verify: may this bundle be used?
import { verifyModel } from '../../jobs/models/verify.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'
import { modelArgument } from '../../terminal/model-flags.ts'

export default class ModelVerify extends BaseCommand {
  static override summary = 'Check a bundle: checksums, structure, golden answers'
  static override description =
    'Checks that the files match the manifest, that every tree is sound (children in range, no cycle, every leaf reachable, fractions that sum to 1), and that every engine reproduces the golden answers. Exits with 4 if a check fails.'
  static override examples = [
    'lcclf model verify ./bundle',
    'lcclf model verify hierarchical_random_forest@1.0.0 --json',
  ]
  static override args = modelArgument
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelVerify)
    process.exitCode = await verifyModel(args.ref, flags)
  }
}
