// lcclf model push: a bundle to where others can pull it from.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { modelArgument } from '../../terminal/flags.ts'
import { pushModel } from '../../jobs/models/push.ts'

export default class ModelPush extends BaseCommand {
  static override summary = 'Publish a model in a bucket or a folder'

  static override description = `Verifies the bundle, writes it below the address as NAME/VERSION/ and enters it into lcclf-index.json there. Any web
server that serves the folder or the bucket is then an address for lcclf model pull.`

  static override examples = [
    '<%= config.bin %> model push hierarchical_random_forest@1.0.0 s3://survey/models/',
    '<%= config.bin %> model push ./bundle /srv/www/models/',
  ]

  static override args = {
    ...modelArgument,
    address: Args.string({ name: 'ADDRESS', description: 's3://bucket/prefix/ or a folder', required: true }),
  }

  static override flags = {
    'allow-http': Flags.boolean({ description: 'an S3 endpoint with plain http on another machine' }),
    overwrite: Flags.boolean({ description: 'replace another bundle of the same name and version' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelPush)
    await pushModel(args.reference, { ...flags, address: args.address, allowHttp: flags['allow-http'] })
  }
}
