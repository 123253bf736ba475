// How results stand in a file, and which of them: what is asked of an output, against what its place and the model have.
import { UsageError } from '../errors.ts'
import type { SinkContext } from '../pipeline/sink.ts'
import {
  type Excerpt,
  type ExtraColumns,
  formatName,
  type Layout,
  type OutputFormat,
  type ResultForm,
} from './address.ts'
import type { SinkSpec } from './spec.ts'

/** What may be asked of the form. */
export interface FormOptions extends Excerpt, ExtraColumns {
  /** `nested` for NDJSON and `wide` for the others, unless given */
  readonly layout?: Layout | undefined
}

/** Which formats have structures; in the others a list is text too. */
export const hasStructures: Readonly<Record<OutputFormat, boolean>> = {
  ...{ parquet: true, ndjson: true, arrow: true },
  ...{ csv: false, tsv: false, fits: false, votable: false },
}

/**
 * The form of a file. Columns can be chosen where they have names, so then NDJSON is wide.
 *
 * @throws UsageError for a layout that the format cannot have, or that has no place for what was asked
 */
export function formFor(format: OutputFormat, asked: FormOptions): ResultForm {
  const flag = asked.columns ? '--columns' : asked.top === undefined ? undefined : '--top'
  const { margins, calibrated, sets, novelty } = asked
  const { layout = format === 'ndjson' && flag === undefined ? 'nested' : 'wide' } = asked
  if (layout === 'nested' && !hasStructures[format]) {
    throw new UsageError(`--layout nested cannot be written as ${formatName(format)}`, {
      hint: 'Use --layout wide or long, or NDJSON, Parquet or Arrow.',
    })
  }
  const extra = firstExtra(asked)
  if (layout === 'long' && extra !== undefined) {
    throw new UsageError(`${extra}: --layout long has a row for each class, and no place for ${pronounOf(extra)}`, {
      hint: 'Use --layout wide or nested.',
    })
  }
  if (flag !== undefined && (layout === 'nested' || (layout === 'long' && flag === '--top'))) {
    throw new UsageError(`${flag} is not for --layout ${layout}`, {
      hint:
        layout === 'nested' ? 'Use --layout wide, also for NDJSON.' : 'Use --layout wide; long has a column ranking.',
    })
  }
  const hasExtras = [margins, calibrated, novelty].includes(true) || sets !== undefined
  const extras = hasExtras ? { margins, calibrated, sets, novelty } : undefined
  return { layout, extras, excerpt: excerptOf(asked) }
}

const extraNames = {
  '--margins': 'margins',
  '--sets': 'sets',
  '--novelty': 'novelty',
} as const

function pronounOf(extra: keyof typeof extraNames): string {
  return extra === '--novelty' ? 'it' : 'them'
}

function firstExtra({ margins, sets, novelty }: ExtraColumns): keyof typeof extraNames | undefined {
  if (margins) return '--margins'
  if (sets !== undefined) return '--sets'
  return novelty ? '--novelty' : undefined
}

/** @throws UsageError where a place that takes whole objects was asked to take less, or more than the survey's numbers */
export function refusePart(place: string, asked: FormOptions): void {
  const extra = firstExtra(asked)
  if (extra !== undefined) {
    throw new UsageError(`${extra}: ${place} has no place for ${pronounOf(extra)}`, {
      hint: `Only files and stdout have ${extraNames[extra]}; give the table or the topic a run of its own.`,
    })
  }
  const flag = Object.entries(flagsOfExcerpt).find(([name]) => asked[name as keyof Excerpt] !== undefined)?.[1]
  if (flag === undefined) return
  throw new UsageError(`${flag}: ${place} takes whole objects`, {
    hint: 'Files, folders and stdout can have less; give the others a run of their own.',
  })
}

type NamingSpec = Extract<SinkSpec, { kind: 'postgres' | 'kafka' }>

/** Whether an output is the survey's own messages, which name no classifier. */
export function isUnnamed(spec: SinkSpec): boolean {
  return spec.kind === 'kafka' && (spec.as ?? 'messages') === 'messages'
}

/**
 * Tables and commands hold the survey's numbers as always and, where they are asked for, the calibrated product besides, as a
 * classifier of its own.
 *
 * @param place how messages call it
 * @throws UsageError for what they cannot hold, and for calibrated probabilities in messages
 */
export function namedForm<Spec extends NamingSpec>(spec: Spec, asked: FormOptions, place = spec.address): Spec {
  refusePart(place, asked)
  if (!asked.calibrated) return spec
  if (!isUnnamed(spec)) return { ...spec, calibrated: true }
  throw new UsageError(`--calibrated: ${place} has no place for them, its messages name no classifier`, {
    hint: 'Commands do: add ?as=scribe, scribe-top-bottom or scribe-multisurvey. So do tables, files and stdout.',
  })
}

const flagsOfExcerpt: Readonly<Record<keyof Excerpt, string>> = {
  columns: '--columns',
  top: '--top',
  only: '--only',
  minProbability: '--min-probability',
}

/** What was asked of an output's rows and columns; undefined where nothing was. */
export function excerptOf({ columns, top, only, minProbability }: Excerpt): Excerpt | undefined {
  const isAsked = [columns, top, only, minProbability].some((one) => one !== undefined)
  return isAsked ? { columns, top, only, minProbability } : undefined
}

// Once the model is known.

type FormContext = Pick<SinkContext, 'schema' | 'taxonomy' | 'classifierVersion'>

type Form = Pick<ResultForm, 'extras' | 'excerpt'> & { readonly layout?: Layout }

/** The columns of a form, and the rows that it wants. */
export async function partOf({ layout = 'wide', extras = {}, excerpt }: Form, context: FormContext) {
  const { createLayout } = await import('./files/layouts.ts')
  const { columns, top, only, minProbability } = excerpt ?? {}
  const { margins, calibrated = false, sets, novelty = false } = extras
  const asked = { margins: margins ? marginNames(context) : [], calibrated, sets: sets !== undefined, novelty, top }
  const all = createLayout(layout, context, asked)
  const isWhole = only === undefined && minProbability === undefined
  return {
    layout: columns ? (await import('./files/chosen-columns.ts')).chosenColumns(all, columns) : all,
    keep: isWhole
      ? undefined
      : (await import('./files/rows-wanted.ts')).rowsWanted({ only, minProbability }, context.taxonomy),
  }
}

/** What a terminal shows of a part: of objects that have their first classes, these alone. */
export async function shownPart(excerpt: Excerpt | undefined, context: FormContext) {
  if (!excerpt) return undefined
  const ranks = Array.from({ length: excerpt.top ?? 0 }, (_, i) => i + 1)
  const first = ranks.flatMap((rank) => [`class_${rank}`, `probability_${rank}`])
  const columns = excerpt.columns ?? (first.length > 0 ? first : undefined)
  const { layout, keep } = await partOf({ excerpt: { ...excerpt, columns } }, context)
  return { layout: columns && layout, keep }
}

/**
 * Checks what was asked of an output's rows and columns, as soon as the model is known.
 *
 * @throws UsageError for a column or a class that the model does not have; ModelError
 */
export async function checkForm(
  form: Form | Exclude<SinkSpec, Form>,
  model: Pick<SinkContext, 'taxonomy' | 'classifierVersion'>,
): Promise<void> {
  if (!('excerpt' in form) && !('extras' in form)) return
  // an input without candids is no reason to refuse the name of their column
  if (form.excerpt ?? form.extras) await partOf(form, { ...model, schema: { oidType: 'string', hasCandid: true } })
}

/** @throws UsageError for a model without margins */
function marginNames({ taxonomy, classifierVersion }: Pick<SinkContext, 'taxonomy' | 'classifierVersion'>) {
  if (taxonomy.margins) return taxonomy.margins
  throw new UsageError(`--margins: ${classifierVersion} has none`, {
    hint: 'A booster has margins, unless its probabilities are calibrated. Leave --margins out.',
  })
}
