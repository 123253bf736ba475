// lcclf model gc: what interrupted processes left behind.
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { cleanStore } from '../../jobs/models/gc.ts'
import { camelCased, jsonFlags } from '../../terminal/flags.ts'

export default class ModelGc extends BaseCommand {
  static override summary = 'Remove what interrupted downloads and imports left behind'
  static override description =
    'Removes staging folders of processes that have ended, abandoned downloads (which a pull could have resumed), archives and addresses that were unpacked for a --model and that nobody used for 30 days, and ONNX graphs of models that are gone. Restores a model whose replacement was interrupted. Never removes a model of the store.'
  static override examples = ['lcclf model gc --dry-run']
  static override flags = {
    'dry-run': Flags.boolean({ description: 'list what would be removed, remove nothing' }),
    ...jsonFlags,
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(ModelGc)
    await cleanStore(camelCased(flags))
  }
}
