// The story of `lcclf explain`.
import { withReport } from '../../report/report-file.ts'
import { UsageError } from '../../errors.ts'
import { taxonomyOf } from '../../model/bundle/manifest.ts'
import { explainObject, type Explanation } from './explain-object.ts'
import { readBundle, readProfile, withCovers } from '../../model/bundle/read-bundle.ts'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { explainText } from './tables.ts'
import { findObject } from './find-object.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { chooseModel, theSample } from '../../model/store/model-reference.ts'
import type { ExplainFlags } from '../../terminal/result-flags.ts'

type ExplainRequest = ExplainFlags & { readonly input: string }

/** Prints the explanation, as text or with --json as one object. */
export async function explain(flags: ExplainRequest): Promise<void> {
  const { directory, chosenBy } = chooseModel(flags.model, theSample)
  if (chosenBy === 'the sample model') {
    process.stderr.write('This is a demonstration with the sample model; --model names your own.\n')
  }
  const explanation = await withReport(
    flags,
    () => explanationOf(flags, directory),
    async (found) => (await import('./page.ts')).explainPage(found),
  )
  process.stdout.write(flags.json ? `${JSON.stringify(explanation)}\n` : explainText(explanation))
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
  const { classes } = taxonomyOf(manifest).levels[0]!
  if (flags.class !== undefined && !classes.includes(flags.class)) {
    throw new UsageError(`the model has no class ${flags.class}`, { hint: `Its classes are ${classes.join(', ')}.` })
  }
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
