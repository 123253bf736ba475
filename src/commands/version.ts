// lcclf version: the same line as --version, and more for programs.
import { showVersion } from '../jobs/version.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { jsonFlags } from '../terminal/flags.ts'

export default class Version extends BaseCommand {
  static override summary = 'Show which lcclf this is'
  static override description =
    'With --json: name, version, commit (if the build knew it), Node, platform, and which formats of models and inputs it reads.'
  static override examples = ['lcclf version', 'lcclf version --json']
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(Version)
    await showVersion(this.config, flags.json)
  }
}
