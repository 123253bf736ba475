// lcclf model list: what is in the store.
import * as Flags from '@oclif/core/flags'
import { listModels } from '../../jobs/models/show.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { jsonFlags } from '../../terminal/flags.ts'

export default class ModelList extends BaseCommand {
  static override summary = 'List the models in the store'
  static override description =
    'Prints one line per model: name, version, leaf classes, trees, size, whether every file matches its checksum, and where it came from. Exits with 4 if a model is damaged. The store is $LCCLF_HOME/models, or in the XDG data folder.'
  static override examples = ['lcclf model list', 'lcclf model list --json']
  static override flags = {
    verify: Flags.boolean({ allowNo: true, default: true, description: 'compare every file with its checksum' }),
    ...jsonFlags,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ModelList)
    process.exitCode = await listModels(flags)
  }
}
