// lcclf model lock: the work folder's results come from one model and no other.
import { lockModel } from '../../jobs/models/show.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'
import { modelArgument } from '../../terminal/model-flags.ts'

export default class ModelLock extends BaseCommand {
  static override summary = 'Pin a model in the current folder'
  static override description =
    "Writes lcclf.lock with the model's name, version and sha256. Commands that classify in this folder then refuse any other model (exit 4), and lcclf model pull without an address downloads this one."
  static override examples = ['lcclf model lock hierarchical_random_forest@1.0.0']
  static override args = modelArgument
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelLock)
    await lockModel(args.ref, flags)
  }
}
