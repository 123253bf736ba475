// What `lcclf diff --why` needs, opened and closed again.
import { UsageError } from '../../errors.ts'
import { openClassifier } from '../../model/open.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { cacheFolder } from '../../model/store/model-reference.ts'
import type { Classifier } from '../../pipeline/classifier.ts'
import type { DiffFlags } from '../../terminal/result-flags.ts'
import type { Predictions } from '../predictions/predictions.ts'
import type { Session } from '../predictions/session.ts'
import { changedSql, pairsOf } from './diff-predictions.ts'
import { explainChanges, type WhyReport } from './explain-changes.ts'
import { modelOfSide, type SideFeatures } from './features-of-side.ts'
import type { CauseFile } from './write-causes.ts'

const usualLimit = 10_000

/** Flags that only say how to explain. */
export function refuseWithoutWhy(flags: DiffFlags): void {
  if (flags.why) return
  const given = {
    '--features-a': flags.featuresA,
    '--features-b': flags.featuresB,
    '--model-a': flags.modelA,
    '--model-b': flags.modelB,
    '--why-limit': flags.whyLimit,
    '--to': flags.to,
    '--from-format': flags.fromFormat,
    '--delimiter': flags.delimiter,
    '--decimal': flags.decimal,
    '--rename': flags.rename,
    '--rename-map': flags.renameMap,
  }
  const flag = Object.entries(given).find(([, value]) => value !== undefined)?.[0]
  if (flag !== undefined) throw new UsageError(`${flag} is only for --why`)
}

/** Explains the objects that changed class, and writes a row of each where a file was asked for. */
export async function why(
  session: Session,
  found: {
    readonly sides: readonly [Predictions, Predictions]
    readonly features: readonly [SideFeatures, SideFeatures]
    readonly file: CauseFile | undefined
  },
  flags: DiffFlags,
): Promise<WhyReport> {
  const { sides, features, file } = found
  const models = await openModels(sides, features, flags)
  try {
    const [pair] = pairsOf(...sides)
    const side = (place: 0 | 1) => ({ ...features[place], results: sides[place], classifier: models[place] })
    const report = await explainChanges(session, {
      sides: [side(0), side(1)],
      pair: pair!,
      changed: changedSql(pair!),
      limit: flags.whyLimit ?? usualLimit,
      top: flags.top,
    })
    await file?.publish(session)
    return report
  } finally {
    await closeBoth(models)
  }
}

type Models = readonly [Classifier, Classifier]

/** One classifier for both sides where one model made them. */
async function openModels(
  [a, b]: readonly [Predictions, Predictions],
  [ofA, ofB]: readonly [SideFeatures, SideFeatures],
  flags: DiffFlags,
): Promise<Models> {
  const [folderA, folderB] = [await modelOfSide('a', a, ofA, flags), await modelOfSide('b', b, ofB, flags)]
  const [shaA, shaB] = [(await readManifest(folderA)).sha256, (await readManifest(folderB)).sha256]
  const options = { threads: 0, cacheFolder: cacheFolder() }
  const first = await openClassifier(folderA, options)
  if (shaA === shaB) return [first, first]
  try {
    return [first, await openClassifier(folderB, options)]
  } catch (error) {
    await first.close()
    throw error
  }
}

async function closeBoth([a, b]: Models): Promise<void> {
  await a.close()
  if (b !== a) await b.close()
}
