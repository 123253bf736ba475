// lcclf model pull: a model from an address into the store.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { pullModel } from '../../jobs/models/pull.ts'

export default class ModelPull extends BaseCommand {
  static override summary = 'Download a model into the store'

  static override description = `From https://, s3://, file: or a path: a folder of pickles by their published names, a .tar.gz, a bundle, or what
lcclf model push wrote. Pickles are imported on the way; what is stored is always a verified bundle, and a model of the
store is replaced (--overwrite) only by one that is verified. A broken download goes on where it broke. Without an
address: the model that lcclf.lock pins, else the known model of that --name and --version, else the survey's
hierarchical_random_forest@1.0.0.

S3 takes credentials, profile and region from AWS's own chain, AWS_ENDPOINT_URL for other stores (path style, unless
AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true), and asks as nobody where there are none (or with AWS_SKIP_SIGNATURE=true).`

  static override examples = [
    '<%= config.bin %> model pull',
    '<%= config.bin %> model pull https://models.example.org/lcclf/ --name hierarchical_random_forest',
    '<%= config.bin %> model pull s3://survey/pickles/ --name my_forest --version 2.1 --sha256 SHA256SUMS',
  ]

  static override args = {
    source: Args.string({ name: 'ADDRESS', description: 'where the model is, or a known model as name@version' }),
  }

  static override flags = {
    name: Flags.string({
      description: 'name of the model; pickles need it, an index and the known models are asked for it',
    }),
    version: Flags.string({ description: 'its version' }),
    sha256: Flags.string({
      helpValue: 'FILE',
      description: 'a SHA256SUMS file that names every file of the model; anything else is refused',
    }),
    'allow-http': Flags.boolean({ description: 'plain http to other machines too' }),
    'accept-swapped': Flags.boolean({
      description: 'put forests where their classes belong if the files are swapped (as published in 1.1.0)',
    }),
    overwrite: Flags.boolean({ description: 'pull a model that is in the store already, and replace it' }),
    quiet: Flags.boolean({ char: 'q', description: 'say nothing on stderr but errors' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelPull)
    await pullModel({
      ...flags,
      source: args.source,
      allowHttp: flags['allow-http'],
      acceptSwapped: flags['accept-swapped'],
    })
  }
}
