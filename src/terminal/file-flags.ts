// Flags about what stands in files.
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'
import { group, repeatable, wholeNumber } from './flag-kinds.ts'

const { input, output } = group

/** How CSV is written. */
export const dialectFlags = {
  delimiter: Flags.custom<string>({ parse: (text) => Promise.resolve(delimiterOf(text)) })({
    helpValue: 'CHAR',
    ...input,
    description: 'CSV: what stands between fields, one character or tab (default: recognised by the header)',
  }),
  decimal: Flags.option({
    options: ['.', ','] as const,
    helpValue: 'CHAR',
    ...input,
    description: 'CSV: the sign before decimals, a point or a comma (default: recognised by the first rows)',
  })(),
}

function delimiterOf(text: string): string {
  const found = text === 'tab' || text === '\\t' ? '\t' : text
  if (found.length === 1 && !/[\w"\r\n.+-]/.test(found)) return found
  throw new UsageError(`--delimiter ${text}: expected one character, such as ; or |, or tab`, {
    hint: 'Letters, digits, quotes, points and signs cannot stand between fields.',
  })
}

/** What an output takes of the results. */
export const excerptFlags = {
  columns: Flags.string({
    ...repeatable,
    helpValue: 'PATTERN[,PATTERN]',
    ...output,
    description:
      "write these columns only, after the ids, in this order: names as in the wide layout, or patterns such as 'stochastic/*' or '*/SNIa'",
  }),
  top: wholeNumber({
    min: 1,
    helpValue: 'K',
    ...output,
    description:
      'write the K most probable classes (class_1, probability_1, … probability_K) in place of the columns of classes and levels',
  }),
  only: Flags.string({
    ...repeatable,
    helpValue: 'CLASS[,CLASS]',
    ...output,
    description: 'write only objects of these classes; the others are counted as filtered',
  }),
  'min-probability': Flags.custom<number>({ parse: (text) => Promise.resolve(probabilityOf(text)) })({
    helpValue: 'P',
    ...output,
    description:
      "write only objects whose class has at least this probability, the model's own; the others are counted as filtered",
  }),
}

function probabilityOf(text: string): number {
  const value = Number(text)
  if (text.trim() !== '' && value >= 0 && value <= 1) return value
  throw new UsageError(`--min-probability ${text}: expected a number from 0 to 1`)
}

/** What `lcclf calibrate` learnt, beside the model's own numbers. */
export const calibrationFlags = {
  calibrated: Flags.boolean({
    ...output,
    description:
      'of a model by lcclf calibrate: also write calibrated probabilities, as calibrated/CLASS and calibrated_class (nested: a structure calibrated; long, tables and commands: rows of a classifier_name that ends with _calibrated)',
  }),
  sets: Flags.custom<number>({ parse: (text) => Promise.resolve(shareOf(text)) })({
    helpValue: 'LEVEL',
    ...output,
    description:
      'of such a model: also write set and set_size, the classes that an object may have; of each class at least this share of objects has it in its set (0.9)',
  }),
}

/** What a forest tells beside its probabilities. */
export const noveltyFlag = {
  novelty: Flags.boolean({
    ...output,
    description:
      'of a forest: also write novelty, from 0 to 1: more for objects that resemble fewer training samples and whose class is less sure; those of a class that the model never saw rank high',
  }),
}

/** A share of objects, as `0.9`. */
function shareOf(text: string): number {
  const value = /^0?\.\d+$/.test(text) ? Number(text) : NaN
  if (value > 0 && value < 1) return value
  throw new UsageError(`--sets ${text}: expected a share between 0 and 1, for example 0.9`)
}
