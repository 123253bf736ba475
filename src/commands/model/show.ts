// lcclf model show: everything a manifest says.
import { showModel } from '../../jobs/models/show.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'
import { modelArgument } from '../../terminal/model-flags.ts'

export default class ModelShow extends BaseCommand {
  static override summary = 'Show a model: hierarchy, features, origin, checksums'
  static override examples = ['lcclf model show hierarchical_random_forest@1.0.0', 'lcclf model show ./bundle --json']
  static override args = modelArgument
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelShow)
    await showModel(args.ref, flags)
  }
}
