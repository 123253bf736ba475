// lcclf evaluate: predictions against labels.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../terminal/base-command.ts'
import { evaluate } from '../jobs/evaluate/evaluate.ts'
import { classRename, reportFlag } from '../terminal/flags.ts'

export default class Evaluate extends BaseCommand {
  static override summary = 'Compare predictions with labels'

  static override description = `Scores what lcclf classify wrote (wide, long or nested) against known classes, for the product and for each level of the
hierarchy: confusion matrix, precision, recall, F1, balanced accuracy, log loss, Brier score, ROC-AUC and average precision
of one class against the rest, calibration, and hierarchical precision and recall. The numbers are scikit-learn's.

A level of a branch counts the objects labelled with its classes. Objects without a label, labels without a prediction and
labels outside the taxonomy are counted and left out; a label that names a branch counts in the top level.`

  static override examples = [
    '<%= config.bin %> evaluate classified.parquet --labels labels.csv',
    {
      description: 'Labels under other names, every table as CSV',
      command:
        '<%= config.bin %> evaluate classified.csv --labels known.parquet --label-column classALeRCE --rename-class EB=E --csv tables/',
    },
  ]

  static override args = {
    predictions: Args.string({
      name: 'PREDICTIONS',
      description:
        'a file that lcclf classify wrote (.parquet .csv .tsv .ndjson .arrow, text also as .gz; also s3://bucket/key), or postgres://…?classifier_version=V',
      required: true,
    }),
  }

  static override flags = {
    labels: Flags.string({
      required: true,
      helpValue: 'FILE',
      description: 'file of known classes, also s3://bucket/key: oid, class',
    }),
    'label-column': Flags.string({ default: 'class', description: 'column of the class, in the labels' }),
    'id-column': Flags.string({ default: 'oid', description: 'column of the object id, in the labels' }),
    'rename-class': Flags.custom({ parse: (text) => Promise.resolve(classRename(text)) })({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'OLD=NEW',
      description: 'take the label OLD for the class NEW (repeatable)',
    }),
    'classifier-version': Flags.string({
      helpValue: 'VERSION',
      description: 'which results to take, where there are those of several models',
    }),
    model: Flags.string({
      char: 'm',
      env: 'LCCLF_MODEL',
      helpValue: 'REF',
      description: 'the model whose order of classes decides ties in long results, which have none',
    }),
    bins: Flags.integer({
      default: 10,
      min: 1,
      max: 1000,
      helpValue: 'N',
      description: 'intervals of the reliability curves and of the calibration error',
    }),
    csv: Flags.string({ helpValue: 'FOLDER', description: 'write every table as CSV into this folder' }),
    report: reportFlag.report,
    overwrite: Flags.boolean({ description: 'replace tables and a report that exist' }),
    json: Flags.boolean({ description: 'print the report as one JSON object on stdout, in full precision' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Evaluate)
    await evaluate({
      predictions: args.predictions,
      labels: flags.labels,
      labelColumn: flags['label-column'],
      idColumn: flags['id-column'],
      renames: new Map((flags['rename-class'] ?? []).map(({ from, to }) => [from, to])),
      classifierVersion: flags['classifier-version'],
      model: flags.model,
      bins: flags.bins,
      csv: flags.csv,
      report: flags.report,
      overwrite: flags.overwrite,
      json: flags.json,
    })
  }
}
