// lcclf model push: a bundle to where others can pull it from.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { pushModel } from '../../jobs/models/push.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased, jsonFlags } from '../../terminal/flags.ts'
import { modelArgument } from '../../terminal/model-flags.ts'

export default class ModelPush extends BaseCommand {
  static override summary = 'Publish a model in a bucket or a folder'
  static override description =
    'Verifies the bundle, writes it below the address as NAME/VERSION/, and adds it to lcclf-index.json there. The address of any web server that serves this folder or bucket then works with lcclf model pull.'
  static override examples = [
    'lcclf model push hierarchical_random_forest@1.0.0 s3://survey/models/',
    'lcclf model push ./bundle /srv/www/models/',
  ]
  static override args = {
    ...modelArgument,
    address: Args.string({ description: 's3://bucket/prefix/ or a folder', required: true }),
  }
  static override flags = {
    'allow-http': Flags.boolean({ description: 'allow an S3 endpoint with plain http on another machine' }),
    overwrite: Flags.boolean({ description: 'replace a different bundle of the same name and version' }),
    ...jsonFlags,
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelPush)
    await pushModel(args.ref, { address: args.address, ...camelCased(flags) })
  }
}
