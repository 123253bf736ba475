// The flags of the commands about models.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'
import { jsonFlags, modelReference, quietFlags, renameFlags, type Typed } from './flags.ts'

export const modelArgument = { ref: Args.string({ description: modelReference, required: true }) }

const acceptSwapped = Flags.boolean({
  description: 'if the files are swapped (as published in 1.1.0), put each forest where its classes belong',
})

/** NaN stands for nan. */
function missingRule(text: string): number {
  if (text.toLowerCase() === 'nan') return NaN
  const value = text.trim() === '' ? NaN : Number(text)
  if (Number.isFinite(value)) return value
  throw new UsageError(`--missing ${text}: neither nan nor a number`)
}

export const importFlags = {
  ...quietFlags,
  name: Flags.string({ required: true, description: 'name of the model, for example hierarchical_random_forest' }),
  version: Flags.string({ required: true, description: 'its version; classifier_version becomes NAME_VERSION' }),
  out: Flags.string({ helpValue: 'BUNDLE', description: 'folder to write (default: the model store)' }),
  golden: Flags.string({
    helpValue: 'DIR',
    description: 'folder with golden_input.csv and golden.json: the import fails if any bit of an answer differs',
  }),
  taxonomy: Flags.string({
    helpValue: 'FILE',
    description:
      "JSON {branch: [classes]} in output order, for a hierarchy other than the survey's; or a list that names the numbered classes of a classifier alone",
  }),
  features: Flags.string({ helpValue: 'FILE', description: 'JSON list of feature names, if the model has none' }),
  missing: Flags.custom<number>({ parse: (text) => Promise.resolve(missingRule(text)) })({
    helpValue: 'nan|VALUE',
    description:
      "what becomes of a missing value: nan, the model's own rule for it, or a number in its place (default: -999 for the survey's hierarchies, nan for a classifier alone)",
  }),
  'classifier-name': Flags.string({
    helpValue: 'NAME',
    description:
      "classifier_name of its results, and the beginning of its levels' (default: that of the model's form, lc_classifier or lc_classifier_BHRF_forced_phot)",
  }),
  'accept-swapped': acceptSwapped,
  overwrite: Flags.boolean({ description: 'replace an existing bundle' }),
  ...jsonFlags,
  profile: Flags.string({
    helpValue: 'FILE',
    helpGroup: 'PROFILE',
    description:
      'typical inputs of the model, such as its training set or a night: the bundle keeps quantiles, null rates and class shares for lcclf check and classify to compare with (default: the rows of --golden)',
  }),
  ...renameFlags('column', { helpGroup: 'PROFILE', dependsOn: ['profile'] }),
}
export type ImportFlags = Typed<typeof importFlags>

export const pullFlags = {
  ...quietFlags,
  name: Flags.string({
    description: 'name of the model: required for pickles; otherwise picks one from an index or the known models',
  }),
  version: Flags.string({ description: 'its version' }),
  sha256: Flags.string({
    helpValue: 'FILE',
    description: 'a SHA256SUMS file that lists every file of the model; anything else is refused',
  }),
  'allow-http': Flags.boolean({ description: 'allow plain http to other machines' }),
  'accept-swapped': acceptSwapped,
  overwrite: Flags.boolean({ description: 'pull a model that is already in the store, and replace it' }),
  ...jsonFlags,
}
export type PullFlags = Typed<typeof pullFlags>
