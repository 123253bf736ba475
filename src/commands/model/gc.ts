// lcclf model gc: what interrupted processes left behind.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { cleanStore } from '../../jobs/models/gc.ts'

export default class ModelGc extends BaseCommand {
  static override summary = 'Remove what interrupted downloads and imports left behind'

  static override description = `Removes staging folders of processes that have ended, downloads that nobody is at (a pull could have gone on with them),
and ONNX graphs of models that are not in the store. A model whose replacement was interrupted comes back. Models are
never removed.`

  static override examples = ['<%= config.bin %> model gc --dry-run']

  static override flags = {
    'dry-run': Flags.boolean({ description: 'say what would be removed, and remove nothing' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ModelGc)
    await cleanStore({ json: flags.json, dryRun: flags['dry-run'] })
  }
}
