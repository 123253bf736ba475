// lcclf model import: a bundle from the pickles of a model as published.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../../terminal/base-command.ts'
import { renameFlags } from '../../terminal/flags.ts'
import { importFiles } from '../../jobs/models/import.ts'

const profileGroup = 'PROFILE'

export default class ModelImport extends BaseCommand {
  static override summary = 'Make a bundle from the pickles of a model, or from an ONNX classifier'

  static override description = `Reads the files of a model as published (features_RF_model.pkl and one pickle for each level) without Python and without
running anything that is in them. The bundle's answers are checked before it appears: against scikit-learn's own with
--golden, else against an independent evaluation of the pickles. An ONNX classifier (FILE.onnx) needs --features and,
where it has branches, --taxonomy; its answers are float32.`

  static override examples = [
    '<%= config.bin %> model import hierarchical_rf_1.0.1/ --name hierarchical_random_forest --version 1.0.0',
    '<%= config.bin %> model import pickles/ --name my_forest --version 2.1 --out bundle/ --golden pickles/',
    '<%= config.bin %> model import pickles/ --name my_forest --version 2.1 --profile training.parquet',
  ]

  static override args = {
    source: Args.string({
      name: 'DIR',
      description: 'folder of the pickles, the pickle of one flat forest, or FILE.onnx',
      required: true,
    }),
  }

  static override flags = {
    name: Flags.string({ required: true, description: 'name of the model, e.g. hierarchical_random_forest' }),
    version: Flags.string({ required: true, description: 'its version; classifier_version becomes NAME_VERSION' }),
    out: Flags.string({ helpValue: 'BUNDLE', description: 'folder to write (default: the model store)' }),
    golden: Flags.string({
      helpValue: 'DIR',
      description: 'folder with golden_input.csv and golden.json: the import fails if our answers differ in any bit',
    }),
    taxonomy: Flags.string({
      helpValue: 'FILE',
      description: 'JSON {branch: [classes]} in output order, for another hierarchy than the survey’s',
    }),
    features: Flags.string({
      helpValue: 'FILE',
      description: 'JSON list of feature names, where the pickles have none',
    }),
    profile: Flags.string({
      helpValue: 'FILE',
      helpGroup: profileGroup,
      description:
        'usual inputs of the model, such as its training set or a night: the bundle keeps quantiles, null rates and class shares, with which lcclf check and classify compare (default: of the rows of --golden)',
    }),
    ...renameFlags('column', { helpGroup: profileGroup, dependsOn: ['profile'] }),
    'accept-swapped': Flags.boolean({
      description: 'put forests where their classes belong if the files are swapped (as published in 1.1.0)',
    }),
    overwrite: Flags.boolean({ description: 'replace a bundle that exists' }),
    quiet: Flags.boolean({ char: 'q', description: 'say nothing on stderr but errors' }),
    json: Flags.boolean({ description: 'print one JSON object on stdout' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ModelImport)
    await importFiles({
      ...flags,
      source: args.source,
      renames: new Map((flags.rename ?? []).map(({ from, to }) => [from, to])),
      renameMap: flags['rename-map'],
      acceptSwapped: flags['accept-swapped'],
    })
  }
}
