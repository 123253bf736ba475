// lcclf model import: a bundle from the pickles of a model as published.
import * as Args from '@oclif/core/args'
import { importFiles } from '../../jobs/models/import.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased } from '../../terminal/flags.ts'
import { importFlags } from '../../terminal/model-flags.ts'

export default class ModelImport extends BaseCommand {
  static override summary = 'Make a bundle from the files of a model, or from an ONNX classifier'
  static override description = [
    "Reads the files of a model as published (features_RF_model.pkl and one pickle per level, or everything in one file) without Python, and without running anything in them. The bundle appears only after its answers have been checked: against its library's own with --golden, otherwise against an independent evaluation of the files.",
    'A classifier alone may be one of scikit-learn (DecisionTree, RandomForest, ExtraTrees, GradientBoosting, HistGradientBoosting, a Pipeline of scalers, imputers, QuantileTransformer and PowerTransformer, CalibratedClassifierCV), of imbalanced-learn, XGBoost or LightGBM. What cannot be held exactly is refused, by name.',
    "A file may be a pickle or a file of joblib, plain or compressed with zlib, gzip, bzip2, xz or LZ4, or a booster's own JSON, UBJSON or text: its content decides, not its name.",
    'An ONNX classifier (FILE.onnx) needs --features and, if it has branches, --taxonomy; its answers are float32.',
  ].join('\n\n')
  static override examples = [
    {
      description: 'The published model',
      command: 'lcclf model import hierarchical_rf_1.0.1/ --name hierarchical_random_forest --version 1.0.0',
    },
    {
      description: "The survey's model since 2024, or a classifier alone, in one file",
      command: 'lcclf model import hierarchical_random_forest_model.pkl --name squidward --version 2.1.0',
    },
    {
      description: 'A booster, whose file has no names of features',
      command: 'lcclf model import model.ubj --name my_booster --version 1 --features features.json',
    },
    {
      description: 'Into a folder, with the golden answers beside the pickles',
      command: 'lcclf model import pickles/ --name my_forest --version 2.1 --out bundle/ --golden pickles/',
    },
    {
      description: 'With a profile of its training set',
      command: 'lcclf model import pickles/ --name my_forest --version 2.1 --profile training.parquet',
    },
  ]
  static override args = {
    source: Args.string({
      description:
        'folder of the pickles, one file with everything or with a classifier alone (.pkl .joblib .json .ubj .txt …), or FILE.onnx',
      required: true,
    }),
  }
  static override flags = importFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelImport)
    await importFiles({ ...args, ...camelCased(flags) })
  }
}
