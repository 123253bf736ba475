// `model import --profile FILE`: rows of usual inputs through the forest that is being imported.
import { basename } from 'node:path'
import { alercePreprocessing } from '../../pipeline/preprocess.ts'
import { openEngine } from '../../model/open.ts'
import { DataError, LcclfError } from '../../errors.ts'
import { goldenMatrix } from '../../model/bundle/golden.ts'
import type { InputProfile, ProfiledImport, ProfileMaker } from '../../model/bundle/input-profile.ts'
import { taxonomyOf } from '../../model/bundle/manifest.ts'
import { createInputProfiler, type InputProfiler } from '../../model/profile/profile-inputs.ts'
import { openSource } from '../../connectors/open-source.ts'
import type { RenameMap } from '../../connectors/columns/rename-maps.ts'
import type { ReadOptions } from '../../pipeline/source.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import type { Input } from '../../connectors/input-names.ts'

/** What is said on the way. */
interface ProfileProgress {
  readonly onRow: () => void
  readonly onWarning: (line: string) => void
}

/** The file of `--profile`, and how it is read. */
export interface ProfileRequest {
  readonly file: string
  readonly renames: ReadonlyMap<string, string>
  readonly renameMapPairs: RenameMap | undefined
}

/** rows read at a time */
const batchSize = 1000

/**
 * Makes the profile of a file, or of golden inputs that came with the model. Golden inputs that the import drew itself lie
 * at the thresholds of the trees: no statement about real ones, so there is no profile.
 *
 * A file is looked at before this answers: what of it cannot be read should be known before the model is read.
 */
export async function profileMaker(
  request: ProfileRequest | undefined,
  progress: ProfileProgress,
): Promise<ProfileMaker> {
  if (!request) return async (model) => (model.isGoldenGiven ? profileOfGolden(model) : undefined)
  const inputs = await aboutProfile(() => findInputs(request))
  return (model) => profileOfFile(inputs, request, model, progress)
}

/** Each input is opened for its ids alone: which features are needed is not known yet. */
async function findInputs(request: ProfileRequest): Promise<Input[]> {
  const inputs = await expandInputs([request.file], {
    fromFormat: undefined,
    outputFolders: [],
    environment: process.env,
    window: {},
    commits: false,
  })
  const ids = { features: [], preprocessing: alercePreprocessing }
  for (const { spec } of inputs) {
    const source = await openSource(spec, { ...readOptions(request, ids), isForSchema: true })
    await source.close()
  }
  return inputs
}

/** Errors name the flag: the model, too, is made of files. */
async function aboutProfile<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof LcclfError) error.message = `--profile ${error.message}`
    throw error
  }
}

function profilerOf({ manifest }: ProfiledImport): InputProfiler {
  const { features, preprocessing } = manifest
  return createInputProfiler({ features, missing: preprocessing.missing, taxonomy: taxonomyOf(manifest) })
}

function profileOfGolden(model: ProfiledImport): InputProfile {
  const { golden, manifest } = model
  const profiler = profilerOf(model)
  profiler.addRows(goldenMatrix(golden, manifest.preprocessing), golden.rowCount)
  profiler.addAnswers(
    golden.expected.map(({ probabilities }) => probabilities),
    golden.rowCount,
  )
  return profiler.profile({ source: 'golden', name: manifest.golden.source })
}

/** A model that is no forest is not asked for predictions: its graph is not written yet. */
async function profileOfFile(
  inputs: readonly Input[],
  request: ProfileRequest,
  model: ProfiledImport,
  { onRow, onWarning }: ProfileProgress,
): Promise<InputProfile> {
  const { file } = request
  const { manifest, forests, golden } = model
  const bundle = { manifest: { ...manifest, files: [] }, sha256: '', forests, golden }
  const classifier = manifest.kind === 'forest' ? await openEngine('', bundle, { threads: 0 }) : undefined
  const profiler = profilerOf(model)
  let rows = 0
  let rejected = 0
  try {
    await aboutProfile(async () => {
      for await (const { batch, rejected: refused } of deliveriesOf(inputs, readOptions(request, manifest))) {
        profiler.addRows(batch.matrix, batch.rowCount)
        rows += batch.rowCount
        rejected += refused.length
        if (classifier && batch.rowCount > 0) {
          profiler.addAnswers((await classifier.classify(batch)).probabilities, batch.rowCount)
        }
        onRow()
      }
    })
  } finally {
    await classifier?.close()
  }
  if (rows === 0) throw new DataError(`--profile ${file}: has no rows that can be classified`)
  if (rejected > 0) onWarning(`${file}: ${rejected} rows cannot be classified and are not in the profile`)
  return profiler.profile({ source: 'file', name: basename(file) })
}

async function* deliveriesOf(inputs: readonly Input[], options: ReadOptions) {
  for (const { spec } of inputs) {
    const source = await openSource(spec, options)
    try {
      yield* source.deliveries(new AbortController().signal)
    } finally {
      await source.close()
    }
  }
}

function readOptions(
  { renames, renameMapPairs }: ProfileRequest,
  { features, preprocessing }: Pick<ReadOptions, 'features' | 'preprocessing'>,
): ReadOptions {
  return {
    features,
    preprocessing,
    batchSize,
    idColumn: 'oid',
    candidColumn: 'candid',
    rename: renames,
    ...(renameMapPairs === undefined ? {} : { renameMap: renameMapPairs }),
    allowance: { remaining: Infinity },
  }
}
