// The story of `lcclf model verify`.
import { answerGolden, type EngineName, enginesOf, isReproduced, openEngine } from '../../model/open.ts'
import { messageOf, ModelError } from '../../errors.ts'
import { describeComparison } from '../../model/bundle/golden.ts'
import type { Bundle } from '../../model/bundle/read-bundle.ts'
import { type BundleCheck, verifyBundle } from '../../model/bundle/verify-bundle.ts'
import { cacheFolder, findBundle } from '../../model/store/model-reference.ts'
import { harmless } from '../../terminal/text-table.ts'

/** Prints every check, as text or with --json as one object, and answers the exit code: 4 if any failed. */
export async function verifyModel(reference: string, { json }: { json: boolean }): Promise<number> {
  const directory = findBundle(reference)
  const { checks, bundle } = await verifyBundle(directory)
  const all = [...checks]
  if (bundle) {
    for (const engine of enginesOf(bundle)) all.push(await engineCheck(directory, bundle, engine))
  }
  const ok = all.every((check) => check.ok)
  const exitCode = ok ? 0 : 4
  const report = {
    schemaVersion: 1,
    command: 'model verify',
    directory,
    sha256: bundle?.sha256 ?? null,
    ok,
    checks: all,
    exitCode,
  }
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : textOf(all, directory, ok))
  return exitCode
}

async function engineCheck(directory: string, bundle: Bundle, engine: EngineName): Promise<BundleCheck> {
  const name = `golden answers by --engine ${engine}`
  try {
    const classifier = await openEngine(directory, bundle, { engine, threads: 1, cacheFolder: cacheFolder() })
    try {
      const comparison = await answerGolden(classifier, bundle.golden)
      return { name, ok: isReproduced(comparison, engine), detail: describeComparison(comparison) }
    } finally {
      await classifier.close()
    }
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) }
  }
}

function textOf(checks: readonly BundleCheck[], directory: string, ok: boolean): string {
  const lines = checks.map(
    ({ name, ok: passed, detail }) => `${passed ? 'ok    ' : 'FAILED'}  ${harmless(`${name}: ${detail}`)}`,
  )
  return `${[...lines, ok ? `${directory} may be used` : `${directory} must not be used`].join('\n')}\n`
}

// Whether a bundle from elsewhere may be used: every check that `lcclf model verify` makes of its content.

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
