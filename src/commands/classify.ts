// lcclf classify: the batch job.
import * as Args from '@oclif/core/args'
import { BaseCommand } from '../terminal/base-command.ts'
import { classify } from '../jobs/classify/classify.ts'
import { inputFlags, modelFlag, outputFlags, reportFlag, runFlags } from '../terminal/flags.ts'

export default class Classify extends BaseCommand {
  static override summary = 'Classify objects by their light-curve features'

  static override description = `Reads features (about 180 numbers an object) from files or stdin, runs the hierarchical random forest, and writes the
probabilities of every class. Nothing is lost silently: every row that is read is classified, rejected with a reason, or
counted as a duplicate, and the receipt adds up.

INPUT is a file (.parquet .csv .tsv .ndjson .arrow .feather .avro, text also as .gz), a folder, a 'glob', - for stdin,
s3://bucket/key, s3://bucket/prefix/ or 's3://bucket/nights/*.parquet' (credentials: AWS's own chain; AWS_ENDPOINT_URL),
postgres://…?table=feature (the long table of features, &version= and &oids=FILE choose) postgres://…?query=SELECT…, or kafka://host/topic: what is in it now, all partitions, without a group.`

  static override examples = [
    { description: 'Look at the classes of a night', command: '<%= config.bin %> classify night.parquet' },
    {
      description: 'Write them to a file, with a model of your own and a receipt',
      command:
        '<%= config.bin %> classify night.parquet --model ./bundle --to classified.parquet --receipt receipt.json',
    },
    {
      description: 'Reprocess a folder, one result for each file; go on after an interruption',
      command: '<%= config.bin %> classify nights/ --to classified/ --resume',
    },
    {
      description:
        "From the pipeline's feature table into its probability table (password: DB_PASSWORD, PGPASSWORD, ~/.pgpass)",
      command:
        '<%= config.bin %> classify "postgres://reader@db/alerts?table=feature&version=1.1.6" --to postgres://writer@db/alerts',
    },
    {
      description: 'From a bucket into a bucket, one result and one receipt for each object',
      command: '<%= config.bin %> classify s3://survey/nights/ --to s3://survey/classified/ --resume',
    },
    {
      description: 'In a pipe',
      command: 'zcat features.csv.gz | <%= config.bin %> classify - --from-format csv --to - > classes.csv',
    },
  ]

  static override args = {
    input: Args.string({
      name: 'INPUT',
      description: 'files, folders, globs, s3://…, postgres://…, kafka://…, or -',
      multiple: true,
    }),
  }

  static override flags = { ...modelFlag, ...inputFlags, ...outputFlags, ...reportFlag, ...runFlags }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Classify)
    process.exitCode = await classify({
      inputs: args.input ?? [],
      model: flags.model,
      to: flags.to,
      fromFormat: flags['from-format'],
      toFormat: flags['to-format'],
      layout: flags.layout,
      idColumn: flags['id-column'],
      candidColumn: flags['candid-column'],
      rename: flags.rename ?? [],
      renameMap: flags['rename-map'],
      where: flags.where,
      limit: flags.limit,
      shard: flags.shard,
      duplicates: flags.duplicates,
      engine: flags.engine,
      threads: flags.threads,
      batchSize: flags['batch-size'],
      rejects: flags.rejects,
      maxRejected: flags['max-rejected'],
      missingObject: flags['missing-object'],
      outputSchema: flags['output-schema'],
      since: flags.since,
      until: flags.until,
      on: flags.on,
      commits: flags.commit,
      watchesQuality: flags['watch-quality'],
      receipt: flags.receipt,
      report: flags.report,
      resume: flags.resume,
      overwrite: flags.overwrite,
      isDryRun: flags['dry-run'],
      isQuiet: flags.quiet,
      showsProgress: !flags['no-progress'],
      json: flags.json,
    })
  }
}
