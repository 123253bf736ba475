// lcclf model remove: a model out of the store.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { removeModel } from '../../jobs/models/show.ts'

export default class ModelRemove extends BaseCommand {
  static override summary = 'Take a model out of the store'

  static override description = `A name alone is enough where the store has one version of it. Folders outside the store are not touched.`

  static override examples = ['<%= config.bin %> model remove hierarchical_random_forest@1.0.0']

  static override args = {
    reference: Args.string({ name: 'REF', description: 'name@version', required: true }),
  }

  static override flags = {
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelRemove)
    await removeModel(args.reference, flags)
  }
}
