// lcclf diff: two results, object by object and as populations.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../terminal/base-command.ts'
import { changeBound, type ChangeBound, diff } from '../jobs/diff/diff.ts'
import { reportFlag } from '../terminal/flags.ts'

export default class Diff extends BaseCommand {
  static override summary = 'Compare two results: may the new model replace the old one?'

  static override description = `Compares what lcclf classify wrote in two runs or with two models: objects of one side only, who changed class (as a
matrix, for each level), the objects that changed ranked by how far their probabilities moved, and how the distribution of
each class shifted (share, Kolmogorov-Smirnov statistic, population stability index).

A level of a branch counts the objects whose top class is that branch. Objects are matched by oid; a million on each side
take about a gigabyte of memory.`

  static override examples = [
    '<%= config.bin %> diff yesterday.parquet today.parquet',
    {
      description: 'Two models, both written to one database',
      command:
        "<%= config.bin %> diff 'postgres://reader@db/alerts?classifier_version=lc_1.0' 'postgres://reader@db/alerts?classifier_version=lc_1.1'",
    },
    {
      description: 'In a pipeline: exit 3 if more than 2 % of the objects changed their class',
      command: '<%= config.bin %> diff model-1.0.parquet model-1.1.parquet --fail-if-changed 2% --json',
    },
  ]

  static override args = {
    a: Args.string({
      name: 'A',
      description:
        'a file that lcclf classify wrote (also s3://bucket/key), or postgres://…; with ?classifier_version=V where it has the results of several models',
      required: true,
    }),
    b: Args.string({ name: 'B', description: 'the other one', required: true }),
  }

  static override flags = {
    'fail-if-changed': Flags.custom<ChangeBound>({ parse: (text) => Promise.resolve(changeBound(text)) })({
      helpValue: 'P%|N',
      description: 'exit 3 if more of the objects on both sides changed their class',
    }),
    top: Flags.integer({
      default: 20,
      min: 1,
      max: 100_000,
      helpValue: 'N',
      description: 'objects in each ranking, and of those of one side only',
    }),
    model: Flags.string({
      char: 'm',
      env: 'LCCLF_MODEL',
      helpValue: 'REF',
      description: 'the model whose order of classes decides ties in long results, which have none',
    }),
    csv: Flags.string({ helpValue: 'FOLDER', description: 'write every table as CSV into this folder' }),
    report: reportFlag.report,
    overwrite: Flags.boolean({ description: 'replace tables and a report that exist' }),
    json: Flags.boolean({ description: 'print the report as one JSON object on stdout, in full precision' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Diff)
    process.exitCode = await diff({
      a: args.a,
      b: args.b,
      failIfChanged: flags['fail-if-changed'],
      top: flags.top,
      model: flags.model,
      csv: flags.csv,
      report: flags.report,
      overwrite: flags.overwrite,
      json: flags.json,
    })
  }
}
