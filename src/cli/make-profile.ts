// `model import --profile FILE`: rows of usual inputs through the forest that is being imported.
import { basename } from 'node:path'
import { openEngine } from '../classifier/open.ts'
import { DataError } from '../errors.ts'
import { goldenMatrix } from '../model/golden.ts'
import type { InputProfile, ProfiledImport, ProfileMaker } from '../model/input-profile.ts'
import { taxonomyOf } from '../model/taxonomy-of.ts'
import { createInputProfiler, type InputProfiler } from '../quality/profile-inputs.ts'
import { openSource } from '../sources/open.ts'
import { expandInputs } from './inputs.ts'

/** What is said on the way. */
export interface ProfileProgress {
  readonly onRow: () => void
  readonly onWarning: (line: string) => void
}

/** rows read at a time */
const batchSize = 1000

/**
 * Makes the profile of a file, or of golden inputs that came with the model. Golden inputs that the import drew itself lie
 * at the thresholds of the trees: no statement about real ones, so there is no profile.
 */
export function profileMaker(file: string | undefined, progress: ProfileProgress): ProfileMaker {
  return async (model) => {
    if (file !== undefined) return profileOfFile(file, model, progress)
    return model.isGoldenGiven ? profileOfGolden(model) : undefined
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
  file: string,
  model: ProfiledImport,
  { onRow, onWarning }: ProfileProgress,
): Promise<InputProfile> {
  const { manifest, forests, golden } = model
  const bundle = { manifest: { ...manifest, files: [] }, sha256: '', forests, golden }
  const classifier = manifest.kind === 'forest' ? await openEngine('', bundle, { threads: 0 }) : undefined
  const profiler = profilerOf(model)
  let rows = 0
  let rejected = 0
  try {
    for await (const delivery of deliveriesOf(file, manifest)) {
      const { batch } = delivery
      profiler.addRows(batch.matrix, batch.rowCount)
      rows += batch.rowCount
      rejected += delivery.rejected.length
      if (classifier && batch.rowCount > 0) {
        profiler.addAnswers((await classifier.classify(batch)).probabilities, batch.rowCount)
      }
      onRow()
    }
  } finally {
    await classifier?.close()
  }
  if (rows === 0) throw new DataError(`--profile ${file}: has no rows that can be classified`)
  if (rejected > 0) onWarning(`${file}: ${rejected} rows cannot be classified and are not in the profile`)
  return profiler.profile({ source: 'file', name: basename(file) })
}

async function* deliveriesOf(file: string, { features, preprocessing }: ProfiledImport['manifest']) {
  const inputs = await expandInputs([file], {
    fromFormat: undefined,
    outputFolders: [],
    environment: process.env,
    window: {},
    commits: false,
  })
  for (const { spec } of inputs) {
    const source = await openSource(spec, {
      features,
      preprocessing,
      batchSize,
      idColumn: 'oid',
      candidColumn: 'candid',
      rename: new Map(),
      allowance: { remaining: Infinity },
    })
    try {
      yield* source.deliveries(new AbortController().signal)
    } finally {
      await source.close()
    }
  }
}
