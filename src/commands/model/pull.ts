// lcclf model pull: a model from an address into the store.
import * as Args from '@oclif/core/args'
import { pullModel } from '../../jobs/models/pull.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased } from '../../terminal/flags.ts'
import { pullFlags } from '../../terminal/model-flags.ts'

export default class ModelPull extends BaseCommand {
  static override summary = 'Download a model into the store'
  static override description = [
    'Reads https://, s3://, file: or a path: a folder of pickles under their published names, a .tar.gz, a bundle, or what lcclf model push wrote. Pickles are imported on the way. What is stored is always a verified bundle, and only a verified one replaces a model in the store (--overwrite). An interrupted download resumes where it stopped.',
    "Without an address it pulls the model that lcclf.lock pins, otherwise the known model of that --name and --version, otherwise the survey's hierarchical_random_forest@1.0.0.",
    "For S3, credentials, profile and region come from AWS's own chain. AWS_ENDPOINT_URL names another store (path style, unless AWS_VIRTUAL_HOSTED_STYLE_REQUEST=true). Falls back to anonymous access if there are no credentials, or with AWS_SKIP_SIGNATURE=true.",
  ].join('\n\n')
  static override examples = [
    'lcclf model pull',
    {
      description: 'From a web server',
      command: 'lcclf model pull https://models.example.org/lcclf/ --name hierarchical_random_forest',
    },
    {
      description: 'Pickles in a bucket, with known checksums',
      command: 'lcclf model pull s3://survey/pickles/ --name my_forest --version 2.1 --sha256 SHA256SUMS',
    },
  ]
  static override args = {
    source: Args.string({ description: 'where the model is, or a known model as name@version' }),
  }
  static override flags = pullFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelPull)
    await pullModel({ ...args, ...camelCased(flags) })
  }
}
