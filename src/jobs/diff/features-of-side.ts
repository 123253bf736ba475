// Where the features of one side of a comparison are, and which model made its results.
import { readFile } from 'node:fs/promises'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { expandInputs, type Input } from '../../connectors/inputs.ts'
import type { InputFormat } from '../../connectors/address.ts'
import { DataError, messageOf, ModelError, systemCode, UsageError } from '../../errors.ts'
import { redacted, shownText } from '../../formats/shown-text.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { findBundle, modelStore, sampleModel } from '../../model/store/model-reference.ts'
import type { DiffFlags } from '../../terminal/result-flags.ts'
import { parseReceipt, type StoredReceipt } from '../classify/receipt.ts'
import type { ReadingOptions } from '../explain/find-objects.ts'
import { localModel } from '../models/local-model.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { resultAddress } from '../predictions/result-file.ts'

export type Side = 'a' | 'b'

type Results = Awaited<ReturnType<typeof resultAddress>>['results']

/** The features that one side's results were made of. */
export interface SideFeatures {
  readonly side: Side
  /** as the command line or the receipt names them, without secrets */
  readonly addresses: readonly string[]
  readonly inputs: readonly Input[]
  readonly reading: Omit<ReadingOptions, 'features' | 'preprocessing'>
  /** of the model, where the receipt beside the results names one */
  readonly modelSha256: string | undefined
}

/**
 * Finds them: what the flags name, else what the receipt beside the results says that they were made of.
 *
 * @throws UsageError where neither names any, or stdin is named; DataError for what is not there
 */
export async function featuresOfSide(side: Side, results: Results, flags: DiffFlags): Promise<SideFeatures> {
  const named = side === 'a' ? flags.featuresA : flags.featuresB
  if (named === undefined) return fromReceipt(side, results, await receiptOf(results))
  if (named === '-') {
    throw new UsageError(`--features-${side} -: features are read after the results, and not from stdin`)
  }
  const reading = {
    idColumn: flags.idColumn,
    candidColumn: flags.candidColumn,
    rename: new Map(flags.rename),
    renameMap: flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap),
    delimiter: flags.delimiter,
    decimal: flags.decimal,
    // a row that was classified without these keys is found again
    absentAsNull: true,
  }
  const inputs = await inputsAt([named], flags.fromFormat)
  // of the model it is a help, and nothing that is needed
  const receipt = await receiptOf(results).catch(() => undefined)
  return { side, addresses: [redacted(named)], inputs, reading, modelSha256: receipt?.model.sha256 }
}

function inputsAt(addresses: readonly string[], fromFormat: InputFormat | undefined): Promise<Input[]> {
  const onNote = (line: string): boolean => process.stderr.write(`${line}\n`)
  return expandInputs(addresses, { fromFormat, environment: process.env, onNote })
}

/**
 * What the receipts beside results on this machine say, which runs into a folder write: of several results the inputs of
 * all. undefined where a result has no receipt.
 */
async function receiptOf(results: Results): Promise<StoredReceipt | undefined> {
  if (results.kind !== 'files') return undefined
  const found: StoredReceipt[] = []
  for (const { path } of results.files) {
    const receipt = await readReceipt(`${path}.receipt.json`)
    if (!receipt) return undefined
    found.push(receipt)
  }
  const [first, ...others] = found as [StoredReceipt, ...StoredReceipt[]]
  const key = ({ model, options }: StoredReceipt): string => JSON.stringify([model.sha256, options])
  if (others.some((other) => key(other) !== key(first))) {
    throw new DataError(
      `${results.address}: its results were made with several models or options, as their receipts say`,
      {
        hint: 'Compare those of one run, chosen by a pattern in quotes.',
      },
    )
  }
  return { ...first, addresses: found.flatMap(({ addresses }) => addresses) }
}

async function readReceipt(path: string): Promise<StoredReceipt | undefined> {
  try {
    return parseReceipt(await readFile(path, 'utf8'))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw new DataError(`${path}: cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

async function fromReceipt(side: Side, results: Results, receipt: StoredReceipt | undefined): Promise<SideFeatures> {
  const hint = `Name them with --features-${side}.`
  const { address } = results
  if (!receipt) {
    throw new UsageError(`--why needs the features that ${address} was made of, and no receipt beside it names them`, {
      hint,
    })
  }
  const { addresses, options, model } = receipt
  if (addresses.includes('-')) {
    throw new UsageError(`${address} was made of rows from stdin, which cannot be read again`, { hint })
  }
  const text = (name: string): string | undefined => {
    const value = options[name]
    return typeof value === 'string' ? value : undefined
  }
  const renameMap = text('renameMap')
  try {
    return {
      side,
      addresses,
      inputs: await inputsAt(addresses, text('fromFormat') as InputFormat | undefined),
      reading: {
        idColumn: text('idColumn') ?? 'oid',
        candidColumn: text('candidColumn') ?? 'candid',
        rename: new Map(Object.entries((options['rename'] ?? {}) as Record<string, string>)),
        renameMap: renameMap === undefined ? undefined : renameMapNamed(renameMap as 'alerce-2024'),
        delimiter: text('delimiter'),
        decimal: text('decimal') as '.' | ',' | undefined,
        absentAsNull: options['absentAsNull'] === true,
        where: text('where'),
      },
      modelSha256: model.sha256,
    }
  } catch (cause) {
    throw new DataError(`the receipt of ${address} says what it was made of, but ${messageOf(cause)}`, { hint, cause })
  }
}

/**
 * The folder of the model that made one side's results: the one that is named for this side, else `--model` or one of the
 * store or the sample, whichever has the classifier_version of the results.
 *
 * @throws ModelError where there is none
 */
export async function modelOfSide(
  side: Side,
  { address, classifierVersion }: Predictions,
  { modelSha256 }: SideFeatures,
  flags: DiffFlags,
): Promise<string> {
  const own = side === 'a' ? flags.modelA : flags.modelB
  if (own !== undefined) return findBundle(await localModel(own))
  const named = flags.model === undefined ? undefined : findBundle(await localModel(flags.model))
  const stored = modelStore()
    .list()
    .filter(({ name, version }) => `${name}_${version}` === classifierVersion)
    .map(({ folder }) => folder)
  const candidates = [...(named === undefined ? [] : [named]), ...stored, sampleModel]
  const fitting: { folder: string; sha256: string }[] = []
  for (const folder of candidates) {
    // a damaged one of the store is nobody's model
    const found = await readManifest(folder).catch(() => undefined)
    if (found && `${found.manifest.name}_${found.manifest.version}` === classifierVersion)
      fitting.push({ folder, sha256: found.sha256 })
  }
  const fits = fitting.find(({ sha256 }) => sha256 === modelSha256) ?? fitting[0]
  if (fits) return fits.folder
  // tables of today have versions of their own: whether it is the model, its answers tell
  if (named !== undefined) return named
  throw new ModelError(
    `--why needs the model of ${address}, ${shownText(classifierVersion)}, and the store does not have it`,
    { hint: `Name it with --model-${side}, or with --model where it made both sides.` },
  )
}
