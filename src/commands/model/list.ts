// lcclf model list: what is in the store.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { listModels } from '../../jobs/models/show.ts'

export default class ModelList extends BaseCommand {
  static override summary = 'List the models of the store'

  static override description = `One line a model: name, version, leaf classes, trees, size, whether every file has its checksum, and where it came
from. Exit 4 if a model is damaged. The store is $LCCLF_HOME/models, else in the XDG data folder.`

  static override examples = ['<%= config.bin %> model list', '<%= config.bin %> model list --json']

  static override flags = {
    verify: Flags.boolean({
      allowNo: true,
      default: true,
      description: 'compare every file with its checksum',
    }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ModelList)
    process.exitCode = await listModels(flags)
  }
}
