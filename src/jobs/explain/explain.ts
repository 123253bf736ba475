// The story of `lcclf explain`.
import { UsageError } from '../../errors.ts'
import type { Explanation, TrainingQuantiles } from './explanation.ts'
import { readBundle, readProfile, withCovers } from '../../model/bundle/read-bundle.ts'
import { renameMapNamed } from '../../connectors/columns/rename-maps.ts'
import type { InputFormat } from '../../connectors/files/file-formats.ts'
import { explainText } from './tables.ts'
import { findObject } from './find-object.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { chooseModel, theSample } from '../../model/store/model-reference.ts'
import { openReport } from '../../report/report-file.ts'
import { type InputProfile, profileQuantiles } from '../../model/bundle/input-profile.ts'

/** What was asked. */
interface ExplainFlags {
  readonly input: string
  readonly oid: string
  readonly model: string | undefined
  readonly className: string | undefined
  readonly top: number
  readonly isApproximate: boolean
  readonly fromFormat: InputFormat | undefined
  readonly idColumn: string
  readonly candidColumn: string
  readonly renames: ReadonlyMap<string, string>
  /** the name of a map of renames */
  readonly renameMap: string | undefined
  /** a page for people */
  readonly report?: string | undefined
  readonly overwrite?: boolean
  readonly json: boolean
}

/** Prints the explanation, as text or with --json as one object. */
export async function explain(flags: ExplainFlags): Promise<void> {
  const { directory, chosenBy } = chooseModel(flags.model, theSample)
  if (chosenBy === 'the sample model') {
    process.stderr.write('This is a demonstration with the sample model; --model names your own.\n')
  }
  const file = await openReport(flags.report, flags.overwrite === true)
  let explanation: Explanation
  try {
    explanation = await explanationOf(flags, directory)
    if (file) await file.publish(await (await import('./page.ts')).explainPage(explanation))
  } finally {
    await file?.close()
  }
  process.stdout.write(flags.json ? `${JSON.stringify(explanation)}\n` : explainText(explanation))
}

/**
 * Finds the object and explains it.
 *
 * @throws DataError for an object that is not there or cannot be classified; ModelError for a model that is no forest
 */
async function explanationOf(flags: ExplainFlags, directory: string): Promise<Explanation> {
  const inputs = await expandInputs([flags.input], {
    fromFormat: flags.fromFormat,
    outputFolders: [],
    environment: process.env,
    window: {},
    commits: false,
  })
  const bundle = await readBundle(directory)
  const { manifest, sha256 } = bundle
  const forests = await withCovers(directory, bundle)
  const { explainObject } = await import('./explain-object.ts')
  if (flags.className !== undefined) refuseUnknownClass(flags.className, manifest)
  const renameMapPairs = flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap)
  const object = await findObject(inputs, { ...flags, ...manifest, renameMapPairs })
  const training = usualQuantiles(await readProfile(directory))
  return explainObject({ ...flags, ...object, manifest, sha256, forests, training })
}

function refuseUnknownClass(
  name: string,
  {
    taxonomy,
    levels,
  }: {
    taxonomy: Readonly<Record<string, readonly string[]>> | null
    levels: readonly { classes: readonly string[] }[]
  },
): void {
  const classes = taxonomy === null ? (levels[0]?.classes ?? []) : Object.values(taxonomy).flat()
  if (classes.includes(name)) return
  throw new UsageError(`the model has no class ${name}`, { hint: `Its classes are ${classes.join(', ')}.` })
}

// A profile as an explanation shows it beside an object's values.

/** By feature; a feature without values has none. Undefined where the bundle has no profile. */
function usualQuantiles(profile: InputProfile | undefined): ReadonlyMap<string, TrainingQuantiles> | undefined {
  if (!profile) return undefined
  const at = (quantiles: readonly number[], share: (typeof profileQuantiles)[number]): number =>
    quantiles[profileQuantiles.indexOf(share)]!
  const found = new Map<string, TrainingQuantiles>()
  for (const { name, missing, values } of profile.features) {
    if (values === null) continue
    const { quantiles } = values
    found.set(name, {
      q05: at(quantiles, 0.05),
      q25: at(quantiles, 0.25),
      q50: at(quantiles, 0.5),
      q75: at(quantiles, 0.75),
      q95: at(quantiles, 0.95),
      missing: missing / profile.rows,
    })
  }
  return found
}
