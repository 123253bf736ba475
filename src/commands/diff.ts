// lcclf diff: two results, object by object and as populations.
import * as Args from '@oclif/core/args'
import { diff } from '../jobs/diff/diff.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased } from '../terminal/flags.ts'
import { diffFlags } from '../terminal/result-flags.ts'

export default class Diff extends BaseCommand {
  static override summary = 'Compare two results: may the new model replace the old one?'
  static override description = [
    'Compares what lcclf classify wrote in two runs or with two models: objects on one side only, objects that changed class (as a matrix, for each level), the changed objects ranked by how far their probabilities moved, and how the distribution of each class shifted (share, Kolmogorov-Smirnov statistic, population stability index).',
    '--why asks the model what made each object change: the smallest set of families of features (WISE colours, periods, …) whose old values, put into the new row, give the old class back. It needs the features that both results were made of, and their model.',
    "A branch's level counts the objects whose top class is that branch. Objects are matched by oid; a million on each side take about a gigabyte of memory.",
  ].join('\n\n')
  static override examples = [
    'lcclf diff yesterday.parquet today.parquet',
    {
      description: 'Two models, both written to one database',
      command:
        "lcclf diff 'postgres://reader@db/alerts?classifier_version=lc_1.0' 'postgres://reader@db/alerts?classifier_version=lc_1.1'",
    },
    {
      description: 'Why? The features of both nights, and a row for each object that changed',
      command:
        'lcclf diff yesterday.parquet today.parquet --why --features-a nights/2026-11-21.parquet --features-b nights/2026-11-22.parquet --to why.csv',
    },
    {
      description: 'What calibration changes: the same results on both sides',
      command: 'lcclf diff out.parquet out.parquet --calibrated b',
    },
    {
      description: 'In a pipeline: exit 3 if more than 2 % of the objects changed class',
      command: 'lcclf diff model-1.0.parquet model-1.1.parquet --fail-if-changed 2% --json',
    },
  ]
  static override args = {
    a: Args.string({
      description:
        "what lcclf classify wrote: a file, a folder, a 'glob', s3://bucket/key or a prefix, or postgres://…; add ?classifier_version=V if it holds the results of several models",
      required: true,
    }),
    b: Args.string({ description: 'the other one', required: true }),
  }
  static override flags = diffFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Diff)
    process.exitCode = await diff({ ...args, ...camelCased(flags) })
  }
}
