// lcclf calibrate: probabilities that mean what they say, from labelled results.
import * as Args from '@oclif/core/args'
import { calibrate } from '../jobs/calibrate/calibrate.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased } from '../terminal/flags.ts'
import { calibrateFlags } from '../terminal/result-flags.ts'

export default class Calibrate extends BaseCommand {
  static override summary = 'Calibrate a model with labelled results'
  static override description = [
    "Learns from results and labels how far a model's probabilities can be believed, level by level, and writes a bundle with the same forest and a calibration.json. The model's own numbers stay what they are, in every bit: lcclf classify writes calibrated ones beside them with --calibrated, and sets of classes with --sets 0.9.",
    "Methods: temperature (one number a level), sigmoid and isotonic (scikit-learn's CalibratedClassifierCV); auto takes the least log loss by five-fold cross-validation. Calibrated levels multiply to the calibrated product. A level with a class of fewer than ten labels is left alone.",
    'Use labels that the model was not trained with, of objects like those that it will see.',
  ].join('\n\n')
  static override examples = [
    'lcclf calibrate classified.parquet --labels labels.csv --model ./bundle --out ./calibrated',
    {
      description: 'Then',
      command: 'lcclf classify night.parquet --model ./calibrated --calibrated --sets 0.9 --to out.parquet',
    },
  ]
  static override args = {
    results: Args.string({
      description:
        "what lcclf classify wrote with this model: a file, a folder, a 'glob', s3://bucket/key or a prefix, or postgres://…?classifier_version=V",
      required: true,
    }),
  }
  static override flags = calibrateFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Calibrate)
    await calibrate({ ...args, ...camelCased(flags) })
  }
}
