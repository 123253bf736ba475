// The flags of the commands that read results and learn from or explain them: evaluate, diff, calibrate, explain.
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'
import { bound, columnFlags, modelFlags, modelReference, pair, reportFlags, type Typed } from './flags.ts'
import { group, repeatable, wholeNumber } from './flag-kinds.ts'

const { input, model, output, run } = group

export const explainFlags = {
  oid: Flags.string({ required: true, helpValue: 'ID', ...input, description: 'the object' }),
  ...columnFlags,
  ...modelFlags('lcclf.lock, or else the sample model of this package'),
  class: Flags.string({
    helpValue: 'CLASS',
    ...output,
    description: 'the class to explain: a leaf class, or a branch (default: the predicted class)',
  }),
  top: wholeNumber({ default: 10, min: 1, helpValue: 'N', ...output, description: 'how many features to list' }),
  approximate: Flags.boolean({ ...output, description: 'path attribution instead of Shapley values' }),
  ...reportFlags,
  overwrite: Flags.boolean({ ...output, description: 'replace an existing report' }),
  json: Flags.boolean({
    ...output,
    description: 'print the explanation as one JSON object on stdout, in full precision',
  }),
}
export type ExplainFlags = Typed<typeof explainFlags>

/** What `evaluate` and `diff` write. */
const comparisonFlags = {
  csv: Flags.string({ helpValue: 'FOLDER', ...output, description: 'write every table to this folder as CSV' }),
  ...reportFlags,
  overwrite: Flags.boolean({ ...output, description: 'replace existing tables and an existing report' }),
  json: Flags.boolean({ ...output, description: 'print the report as one JSON object on stdout, in full precision' }),
}

/** Long results do not say in which order a model has its classes, and that order decides ties. */
const orderFlags = {
  model: Flags.string({
    char: 'm',
    env: 'LCCLF_MODEL',
    helpValue: 'REF',
    ...model,
    description: 'the model whose order of classes decides ties in long results, which do not record one',
  }),
}

/** How labels are read. */
const labelFlags = {
  labels: Flags.string({
    required: true,
    helpValue: 'FILE',
    ...input,
    description: 'file of known classes, also s3://bucket/key, with the columns oid and class',
  }),
  'label-column': Flags.string({
    default: 'class',
    helpValue: 'NAME',
    ...input,
    description: 'column of the class in the labels',
  }),
  'id-column': Flags.string({
    default: 'oid',
    helpValue: 'NAME',
    ...input,
    description: 'column of the object id in the labels',
  }),
  // no class of a taxonomy has a = in its name, but a label of somebody else's may: the last one divides
  'rename-class': Flags.custom({
    parse: (text) => Promise.resolve(pair('--rename-class', text, text.lastIndexOf('='))),
  })({
    ...repeatable,
    helpValue: 'OLD=NEW',
    ...input,
    description: 'read the label OLD as the class NEW (repeatable)',
  }),
  'classifier-version': Flags.string({
    helpValue: 'VERSION',
    ...input,
    description: 'which results to take if there are several',
  }),
}

export const evaluateFlags = {
  ...labelFlags,
  ...orderFlags,
  bins: wholeNumber({
    default: 10,
    min: 1,
    max: 1000,
    helpValue: 'N',
    ...output,
    description: 'intervals of the reliability curves and of the calibration error',
  }),
  ...comparisonFlags,
}
export type EvaluateFlags = Typed<typeof evaluateFlags>

/** `lcclf calibrate` */
export const calibrateFlags = {
  ...labelFlags,
  model: Flags.string({
    char: 'm',
    env: 'LCCLF_MODEL',
    required: true,
    helpValue: 'REF',
    ...model,
    description: `the model that wrote the results: ${modelReference}`,
  }),
  method: Flags.option({
    options: ['auto', 'temperature', 'sigmoid', 'isotonic'] as const,
    default: 'auto' as const,
    ...model,
    description: 'how each level is calibrated; auto: the least log loss by cross-validation',
  })(),
  out: Flags.string({ required: true, helpValue: 'BUNDLE', ...output, description: 'folder of the calibrated model' }),
  overwrite: Flags.boolean({ ...output, description: 'replace an existing bundle' }),
  json: Flags.boolean({ ...output, description: 'print the report as one JSON object on stdout' }),
}
export type CalibrateFlags = Typed<typeof calibrateFlags>

/** How much may change before `lcclf diff` exits 3: objects, or a percentage of those on both sides. */
type ChangeBound = { readonly text: string } & ({ readonly objects: number } | { readonly percent: number })

function changeBound(text: string): ChangeBound {
  const found = bound(text)
  if (found) return 'rows' in found ? { text, objects: found.rows } : { text, ...found }
  throw new UsageError(`--fail-if-changed ${text}: expected a percentage or a number of objects, for example 2% or 100`)
}

function featuresOfSide(description: string) {
  return Flags.string({ helpValue: 'ADDRESS', ...input, description })
}

function modelOfSide(side: 'A' | 'B') {
  const otherwise = `--model, or the stored model with the classifier_version of ${side}`
  return Flags.string({
    helpValue: 'REF',
    ...model,
    description: `--why: the model that made ${side} (default: ${otherwise})`,
  })
}

/** Of `lcclf diff --why`: the features of both sides. */
const sidesFlags = {
  'features-a': featuresOfSide(
    '--why: the features that A was made of: a file, a folder, a glob, s3://… or postgres://… (default: what the receipt beside A names)',
  ),
  'features-b': featuresOfSide('--why: the features that B was made of'),
  ...columnFlags,
}

/** `lcclf diff --why`: how objects are explained, and by which models. */
const whyFlags = {
  why: Flags.boolean({
    ...run,
    description: 'name for each object that changed class the features, or the model, that made it change',
  }),
  'model-a': modelOfSide('A'),
  'model-b': modelOfSide('B'),
  'why-limit': wholeNumber({
    min: 1,
    helpValue: 'N',
    ...run,
    description: '--why: explain at most N objects, a fair sample of those that changed (default: 10000)',
  }),
  to: Flags.string({
    helpValue: 'FILE',
    ...output,
    description: '--why: write a row for each explained object to this file: .csv, .ndjson or .parquet',
  }),
}

export const diffFlags = {
  ...sidesFlags,
  ...orderFlags,
  top: wholeNumber({
    default: 20,
    min: 1,
    max: 100_000,
    helpValue: 'N',
    ...output,
    description: 'how many objects to list in each ranking, and of those on one side only',
  }),
  ...comparisonFlags,
  ...whyFlags,
  calibrated: Flags.option({
    options: ['a', 'b', 'both'] as const,
    ...output,
    description: 'of this side compare the calibrated probabilities (classify --calibrated) with the other one',
  })(),
  'fail-if-changed': Flags.custom<ChangeBound>({ parse: (text) => Promise.resolve(changeBound(text)) })({
    helpValue: 'P%|N',
    ...run,
    description: 'exit 3 if more of the objects on both sides changed their class',
  }),
}
export type DiffFlags = Typed<typeof diffFlags>
