// One request of a program → its answer. Classifying is a run like any other: a table in memory in, a table in memory out.
import { resolve } from 'node:path'
import { openArrowBytes } from '../../connectors/files/arrow-source.ts'
import { openSink } from '../../connectors/open-connector.ts'
import { formFor } from '../../connectors/result-form.ts'
import type { OpenSink } from '../../connectors/spec.ts'
import { BalanceError, LcclfError, messageOf, UsageError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import type { Reject } from '../../pipeline/batch.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { ClassifyOptions } from '../classify/plan.ts'
import { runClassify } from '../classify/run-classify.ts'
import { longestBody, type Request } from './frames.ts'

/** An answer without its id. */
interface Answer {
  readonly header: Readonly<Record<string, unknown>>
  readonly body: readonly Uint8Array[]
}

/** Whoever answers, and why it is this model. */
export interface Answerer {
  readonly classifier: Classifier
  /** the folder of its bundle */
  readonly directory: string
  readonly isDemonstration: boolean
  /** of lcclf */
  readonly version: string
}

/** Raised when an older program could misread an answer. */
const protocol = 1
/** what errors call the table of a request */
const tableName = 'the table'
/** unless more are asked for */
const rejectsTold = 20

const check = jsonChecker((what, cause) => new UsageError(what, { cause }))

/** Answers whatever was asked: what goes wrong is an answer too. */
export async function answer(request: Request, answerer: Answerer): Promise<Answer> {
  try {
    const { header, body } = await answered(request, answerer)
    return { header: { id: request.id, ok: true, ...header }, body }
  } catch (error) {
    return { header: { id: request.id, ok: false, error: outcomeOf(error) }, body: [] }
  }
}

function outcomeOf(error: unknown) {
  if (error instanceof LcclfError) {
    const { code, exitCode, message, hint } = error
    return { code, exitCode, message, hint: hint ?? null }
  }
  const hint = 'This is a bug in lcclf; please report it.'
  return { code: 'bug', exitCode: 1, message: `unexpected: ${messageOf(error).split('\n')[0]}`, hint }
}

function answered(request: Request, answerer: Answerer): Answer | Promise<Answer> {
  const { header, omittedBytes } = request
  if (omittedBytes !== undefined) {
    throw new UsageError(`the table is too large: ${omittedBytes} bytes, of which ${longestBody} are allowed`, {
      hint: 'Send it in several requests.',
    })
  }
  switch (header['op']) {
    case 'hello':
      return hello(answerer)
    case 'classify':
      return classify(request, answerer.classifier)
    default:
      throw new UsageError(`a worker cannot ${JSON.stringify(header['op'] ?? null)}`, {
        hint: 'It can hello and classify.',
      })
  }
}

function hello({ classifier, directory, isDemonstration, version }: Answerer): Answer {
  const { identity, features, taxonomy } = classifier
  const { levels, margins = [] } = taxonomy
  const model = { ...identity, directory: resolve(directory), isDemonstration, features, levels, margins }
  return { header: { protocol, version, model, options: Object.keys(optionReaders) }, body: [] }
}

/** Reads what flags are called on the command line, under the names of `runClassify`. */
const optionReaders = {
  layout: (value) => oneOf(['wide', 'long', 'nested'] as const, value, 'layout'),
  margins: (value) => truth(value, 'margins'),
  idColumn: (value) => check.text(value, 'idColumn'),
  candidColumn: (value) => check.text(value, 'candidColumn'),
  rename: (value) =>
    Object.entries(check.record(value, 'rename')).map(([old, name]) => [old, check.text(name, 'rename')] as const),
  renameMap: (value) => check.text(value, 'renameMap'),
  absentAsNull: (value) => truth(value, 'absentAsNull'),
  duplicates: (value) => oneOf(['all', 'newest'] as const, value, 'duplicates'),
  limit: (value) => check.count(value, 'limit'),
  batchSize: batchSizeOf,
} as const satisfies { readonly [Name in keyof ClassifyOptions]?: (value: unknown) => ClassifyOptions[Name] }

type Options = Partial<Pick<ClassifyOptions, keyof typeof optionReaders>>

function optionsOf(asked: unknown): Options {
  const entries = Object.entries(check.record(asked ?? {}, 'options')).map(([name, value]) => {
    if (Object.hasOwn(optionReaders, name)) return [name, optionReaders[name as keyof Options](value)]
    throw new UsageError(`a worker has no option ${name}`, {
      hint: `It has ${Object.keys(optionReaders).join(', ')}.`,
    })
  })
  return Object.fromEntries(entries) as Options
}

function batchSizeOf(value: unknown): number {
  const size = check.count(value, 'batchSize')
  if (size < 1 || size > 100_000) throw check.error('batchSize')
  return size
}

function truth(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw check.error(what)
  return value
}

function oneOf<T extends string>(choices: readonly T[], value: unknown, what: string): T {
  const found = choices.find((choice) => choice === value)
  if (found === undefined) throw new UsageError(`${what} ${String(value)}: expected ${choices.join(', ')}`)
  return found
}

async function classify({ header, body }: Request, classifier: Classifier): Promise<Answer> {
  const { layout: asked, margins: hasMargins, ...options } = optionsOf(header['options'])
  const told = check.count(header['rejects'] ?? rejectsTold, 'rejects')
  const rowsBefore = check.count(header['rowsBefore'] ?? 0, 'rowsBefore')
  const form = formFor('arrow', { layout: asked, margins: hasMargins })
  const result: Uint8Array[] = []
  const rejects: Reject[] = []
  const toMemory: OpenSink = (context) => {
    const take = (bytes: Uint8Array): unknown => result.push(bytes)
    return openSink({ kind: 'memory', address: 'the answer', format: 'arrow', ...form, take }, context)
  }
  const receipt = await runClassify({
    ...options,
    model: classifier,
    inputs: [(how) => openArrowBytes(body, { name: tableName, rowsBefore }, how)],
    to: [toMemory],
    rejects: (some) => void rejects.push(...some),
  })
  if (!receipt.balanced) throw new BalanceError('the counts of this request do not add up')
  const { read, classified, rejected, duplicates, reasons } = receipt.inputs[0]!
  const counts = { read, classified, rejected, duplicates, reasons }
  const first = rejects.slice(0, told).map(({ oid, where, reason, value }) => ({ oid, where, reason, value }))
  return { header: { counts, rejects: first, rejectedRows: placesOf(rejects, rowsBefore) }, body: result }
}

/** Of the rejects their places in the table of the request, from 0; null where one of them has none. */
function placesOf(rejects: readonly Reject[], rowsBefore: number): number[] | null {
  const places: number[] = []
  for (const { where } of rejects) {
    const row = /^the table row (\d+)$/.exec(where)?.[1]
    if (row === undefined) return null
    places.push(Number(row) - 1 - rowsBefore)
  }
  return places
}
