// lcclf doctor: what works here, what does not, and what to do.
import * as Args from '@oclif/core/args'
import { doctor } from '../jobs/doctor/doctor.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { jsonFlags } from '../terminal/flags.ts'

export default class Doctor extends BaseCommand {
  static override summary = 'Report what works here, what does not, and what to do about it'
  static override description = [
    'Checks Node, processor, memory, disk, the model store and the model that would be used, and everything that the environment configures: the database (DB_*, PG*) and its clock, the brokers (CONSUMER_*, PRODUCER_*, METRICS_*), and S3 (AWS_*). Addresses given as arguments are checked too.',
    "Nothing is written to any of them, no group is joined, and no secret is printed. No check takes longer than ten seconds; the model's own may take two minutes. Exits with 5 if a check failed.",
  ].join('\n\n')
  static override examples = [
    'lcclf doctor',
    {
      description: 'Before a first run',
      command: "lcclf doctor night.parquet 'kafka://broker:9092/features?group=lc' postgres://writer@localhost/alerts",
    },
  ]
  static override args = {
    address: Args.string({
      multiple: true,
      description: 'postgres://…, kafka://…, s3://bucket/prefix, files and folders (default: those of the environment)',
    }),
  }
  static override flags = jsonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Doctor)
    process.exitCode = await doctor(args.address ?? [], flags)
  }
}
