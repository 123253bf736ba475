// lcclf model show: everything a manifest says.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { modelArgument } from '../../terminal/flags.ts'
import { showModel } from '../../jobs/models/show.ts'

export default class ModelShow extends BaseCommand {
  static override summary = 'Show a model: hierarchy, features, origin, checksums'

  static override examples = [
    '<%= config.bin %> model show hierarchical_random_forest@1.0.0',
    '<%= config.bin %> model show ./bundle --json',
  ]

  static override args = modelArgument

  static override flags = {
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelShow)
    await showModel(args.reference, flags)
  }
}
