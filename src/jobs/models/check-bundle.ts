// Whether a bundle from elsewhere may be used: every check that `lcclf model verify` makes of its content.
import { answerGolden, enginesOf, isReproduced, openEngine } from '../../model/open.ts'
import { ModelError } from '../../errors.ts'
import { describeComparison } from '../../model/bundle/golden.ts'
import { verifyBundle } from '../../model/bundle/verify-bundle.ts'
import { cacheFolder } from '../../model/store/model-reference.ts'

/** @throws ModelError for the first check that fails */
export async function checkBundle(directory: string): Promise<void> {
  const { checks, bundle } = await verifyBundle(directory)
  const failed = checks.find(({ ok }) => !ok)
  if (failed) throw refused(failed.name, failed.detail)
  if (!bundle) throw refused('contents', 'cannot be opened')
  // forests have answered already, in plain evaluation; a graph only answers in its engine
  if (bundle.forests.length > 0) return
  const [engine] = enginesOf(bundle)
  const classifier = await openEngine(directory, bundle, { engine: engine!, threads: 1, cacheFolder: cacheFolder() })
  try {
    const comparison = await answerGolden(classifier, bundle.golden)
    if (!isReproduced(comparison, engine!)) throw refused('golden answers', describeComparison(comparison))
  } finally {
    await classifier.close()
  }
}

function refused(check: string, detail: string): ModelError {
  return new ModelError(`the bundle is not what it says: ${check}: ${detail}`, {
    hint: 'It was changed or damaged: ask whoever publishes it. It is not put into the store.',
  })
}
