// lcclf model verify: may this bundle be used?
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { modelArgument } from '../../terminal/flags.ts'
import { verifyModel } from '../../jobs/models/verify.ts'

export default class ModelVerify extends BaseCommand {
  static override summary = 'Check a bundle: checksums, structure, golden answers'

  static override description = `Checks that the files are those of the manifest, that every tree is whole (children in range, no cycle, every leaf
reachable, fractions that sum to 1), and that every engine reproduces the golden answers. Exit 4 if anything fails.`

  static override examples = [
    '<%= config.bin %> model verify ./bundle',
    '<%= config.bin %> model verify hierarchical_random_forest@1.0.0 --json',
  ]

  static override args = modelArgument

  static override flags = {
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelVerify)
    process.exitCode = await verifyModel(args.reference, flags)
  }
}
