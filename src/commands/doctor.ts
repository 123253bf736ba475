// lcclf doctor: what works here, what does not, and what to do.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../terminal/base-command.ts'
import { doctor } from '../jobs/doctor/doctor.ts'

export default class Doctor extends BaseCommand {
  static override summary = 'Say what works here, what does not, and what to do'

  static override description = `Looks at Node, processor, memory, disk, the model store and the model that would be used, and at everything that the
environment configures: the database (DB_*, PG*) and its clock, the brokers (CONSUMER_*, PRODUCER_*, METRICS_*), and S3
(AWS_*). Addresses that are named are checked too. Nothing is written to any of them, no group is joined, and no secret is
printed. Each check has ten seconds, the model's own two minutes. Exit 5 if something failed.`

  static override examples = [
    '<%= config.bin %> doctor',
    {
      description: 'Before a first run',
      command:
        "<%= config.bin %> doctor night.parquet 'kafka://broker:9092/features?group=lc' postgres://writer@localhost/alerts",
    },
  ]

  static override args = {
    address: Args.string({
      name: 'ADDRESS',
      multiple: true,
      description:
        'postgres://…, kafka://…, s3://bucket/prefix, files and folders (default: what the environment says)',
    }),
  }

  static override flags = { json: Flags.boolean({ description: 'print one JSON object on stdout' }) }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Doctor)
    process.exitCode = await doctor(args.address ?? [], flags)
  }
}
