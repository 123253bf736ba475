// lcclf model remove: a model out of the store.
import * as Args from '@oclif/core/args'
import { removeModel } from '../../jobs/models/show.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'

export default class ModelRemove extends BaseCommand {
  static override summary = 'Remove a model from the store'
  static override description = 'A name alone means its highest version. Folders outside the store are never touched.'
  static override examples = ['lcclf model remove hierarchical_random_forest@1.0.0']
  static override args = {
    ref: Args.string({ description: 'name@version, or a name (its highest version)', required: true }),
  }
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelRemove)
    await removeModel(args.ref, flags)
  }
}
