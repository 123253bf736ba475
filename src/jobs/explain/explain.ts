// The story of `lcclf explain`.
import { withReport } from '../../report/report-file.ts'
import { UsageError } from '../../errors.ts'
import { type Manifest, taxonomyOf } from '../../model/bundle/manifest.ts'
import { explainObject, type Explanation } from './explain-object.ts'
import { readBundle, readManifest, readProfile, withCovers } from '../../model/bundle/read-bundle.ts'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { explainText } from './tables.ts'
import { findObject } from './find-object.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { modelLine, theSample } from '../../model/store/model-reference.ts'
import { chooseLocalModel } from '../models/local-model.ts'
import type { ExplainFlags } from '../../terminal/result-flags.ts'
import { print } from '../../terminal/standard-streams.ts'
import { harmless } from '../../terminal/text-table.ts'

type ExplainRequest = ExplainFlags & { readonly input: string }

/** Prints the explanation, as text or with --json as one object. */
export async function explain(flags: ExplainRequest): Promise<void> {
  const chosen = await chooseLocalModel(flags.model, theSample)
  const { directory } = chosen
  process.stderr.write(`${harmless(modelLine((await readManifest(directory)).manifest, chosen))}\n`)
  const explanation = await withReport(
    flags,
    () => explanationOf(flags, directory),
    async (found) => (await import('./page.ts')).explainPage(found),
  )
  await print(flags.json ? `${JSON.stringify(explanation, infinityAsText)}\n` : explainText(explanation))
}

/** A value that some boosters take and JSON does not have; a missing one is null, and `is_missing`. */
function infinityAsText(_: string, value: unknown): unknown {
  return value === Infinity || value === -Infinity ? String(value) : value
}

/**
 * Finds the object and explains it.
 *
 * @throws DataError for an object that is not there or cannot be classified; ModelError for a model that is no forest
 */
async function explanationOf(flags: ExplainRequest, directory: string): Promise<Explanation> {
  const inputs = await expandInputs([flags.input], { fromFormat: flags.fromFormat })
  const bundle = await readBundle(directory)
  const { manifest, sha256 } = bundle
  const forests = await withCovers(directory, bundle)
  if (flags.class !== undefined) refuseUnknownClass(flags.class, manifest)
  const renameMap = flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap)
  const object = await findObject(inputs, { ...flags, ...manifest, rename: new Map(flags.rename), renameMap })
  const profile = await readProfile(directory)
  return explainObject({
    ...flags,
    className: flags.class,
    isApproximate: flags.approximate,
    ...object,
    manifest,
    sha256,
    parts: bundle.parts,
    forests,
    profile,
  })
}

/** A leaf class, or a branch: a class of the top. */
function refuseUnknownClass(name: string, manifest: Manifest): void {
  const { classes } = taxonomyOf(manifest).levels[0]!
  const branches = Object.keys(manifest.taxonomy ?? {})
  if (classes.includes(name) || branches.includes(name)) return
  const ofTop = branches.length > 0 ? `, and of the top ${branches.join(', ')}` : ''
  throw new UsageError(`the model has no class ${name}`, { hint: `Its classes are ${classes.join(', ')}${ofTop}.` })
}
