// lcclf model lock: the work folder's results come from one model and no other.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { modelArgument } from '../../terminal/flags.ts'
import { lockModel } from '../../jobs/models/show.ts'

export default class ModelLock extends BaseCommand {
  static override summary = 'Pin a model in the work folder'

  static override description = `Writes lcclf.lock with the model's name, version and sha256. Commands that classify in this folder then refuse any other
model (exit 4), and lcclf model pull without an address gets this one.`

  static override examples = ['<%= config.bin %> model lock hierarchical_random_forest@1.0.0']

  static override args = modelArgument

  static override flags = {
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelLock)
    await lockModel(args.reference, flags)
  }
}
