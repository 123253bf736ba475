// lcclf classify: the batch job.
import * as Args from '@oclif/core/args'
import { classify } from '../jobs/classify/classify.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased, classifyFlags } from '../terminal/flags.ts'

export default class Classify extends BaseCommand {
  static override summary = 'Classify objects by their light-curve features'
  static override description = [
    'Reads features (about 180 numbers per object) from files, stdin, a database or a topic, runs the hierarchical random forest, and writes the probability of every class. No row is lost silently: every row read is classified, rejected with a reason, or counted as a duplicate, and the receipt adds up.',
    "INPUT is a file (.parquet .csv .tsv .ndjson .arrow .feather .avro .fits .vot, text also as .gz), a folder, a 'glob', or - for stdin.",
    "It may be in a bucket: s3://bucket/key, s3://bucket/prefix/ or 's3://bucket/nights/*.parquet', with AWS's own chain of credentials and AWS_ENDPOINT_URL.",
    'It may be in a database: postgres://…?table=feature for the long table of features, of 2021 or with the integers of today (&version= and &oids=FILE select from it), or postgres://…?query=SELECT….',
    'It may be in Kafka: kafka://host/topic reads what is in the topic now, from all partitions, without a group; ?schema=FILE.avsc is for values that are bare Avro data.',
  ].join('\n\n')
  static override examples = [
    { description: 'Look at the classes of a night', command: 'lcclf classify night.parquet' },
    {
      description: 'Write them to a file, with your own model and a receipt',
      command: 'lcclf classify night.parquet --model ./bundle --to classified.parquet --receipt receipt.json',
    },
    {
      description: 'Reprocess a folder, one result per file, and continue after an interruption',
      command: 'lcclf classify nights/ --to classified/ --resume',
    },
    {
      description:
        "From the pipeline's feature table to its probability table (password: DB_PASSWORD, PGPASSWORD or ~/.pgpass)",
      command:
        'lcclf classify "postgres://reader@db/alerts?table=feature&version=1.1.6" --to postgres://writer@db/alerts',
    },
    {
      description: 'From bucket to bucket, with one result and one receipt per object',
      command: 'lcclf classify s3://survey/nights/ --to s3://survey/classified/ --resume',
    },
    {
      description: 'In a pipe',
      command: 'zcat features.csv.gz | lcclf classify - --to - > classes.csv',
    },
  ]
  static override args = {
    input: Args.string({
      description: 'files, folders, globs, s3://…, postgres://…, kafka://…, or -',
      multiple: true,
    }),
  }
  static override flags = classifyFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Classify)
    process.exitCode = await classify(args.input ?? [], camelCased(flags))
  }
}
