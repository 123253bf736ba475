// The check of every bundle that comes from elsewhere or goes there.
import { ModelError } from '../../errors.ts'
import { type BundleCheck, verifyBundle } from '../../model/bundle/verify-bundle.ts'
import { checkGolden } from '../../model/open.ts'
import { cacheFolder } from '../../model/store/model-reference.ts'

/**
 * Makes every check that `lcclf model verify` makes of a bundle's content.
 *
 * @throws ModelError for the first check that fails
 */
export async function checkBundle(directory: string): Promise<void> {
  const { checks, bundle } = await verifyBundle(directory)
  const failed = checks.find(({ ok }) => !ok)
  if (failed) throw refused(failed)
  if (!bundle) throw refused({ name: 'contents', detail: 'cannot be opened' })
  // forests have answered already, in plain evaluation; a graph only answers in its engine
  if (bundle.forests.length > 0) return
  const answered = await checkGolden(directory, bundle, cacheFolder())
  if (!answered.ok) throw refused({ ...answered, name: 'golden answers' })
}

function refused({ name, detail }: Pick<BundleCheck, 'name' | 'detail'>): ModelError {
  return new ModelError(`the bundle is not what it says: ${name}: ${detail}`, {
    hint: 'It was changed or damaged: ask its publisher. It is not put into the store.',
  })
}
