// lcclf evaluate: predictions against labels.
import * as Args from '@oclif/core/args'
import { evaluate } from '../jobs/evaluate/evaluate.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased } from '../terminal/flags.ts'
import { evaluateFlags } from '../terminal/result-flags.ts'

export default class Evaluate extends BaseCommand {
  static override summary = 'Score predictions against labels'
  static override description = [
    "Scores what lcclf classify wrote (wide, long or nested) against known classes, for the product and for each level of the hierarchy: confusion matrix, precision, recall, F1, balanced accuracy, log loss, Brier score, ROC-AUC and average precision of one class against the rest, calibration, and hierarchical precision and recall. The numbers are scikit-learn's.",
    "A branch's level counts the objects labelled with the branch's classes. Objects without a label, labels without a prediction and labels outside the taxonomy are counted and left out; a label that names a branch counts in the top level.",
  ].join('\n\n')
  static override examples = [
    'lcclf evaluate classified.parquet --labels labels.csv',
    {
      description: 'With labels under other names, and every table as CSV',
      command:
        'lcclf evaluate classified.csv --labels known.parquet --label-column classALeRCE --rename-class EB=E --csv tables/',
    },
  ]
  static override args = {
    predictions: Args.string({
      description:
        "what lcclf classify wrote: a file (.parquet .csv .tsv .ndjson .arrow, text also as .gz), a folder, a 'glob', s3://bucket/key or a prefix, or postgres://…?classifier_version=V",
      required: true,
    }),
  }
  static override flags = evaluateFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Evaluate)
    await evaluate({ ...args, ...camelCased(flags) })
  }
}
