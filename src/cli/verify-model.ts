// The story of `lcclf model verify`.
import { answerGolden, openEngine } from '../classifier/open.ts'
import { messageOf } from '../errors.ts'
import { describeComparison } from '../model/golden.ts'
import type { Bundle } from '../model/read-bundle.ts'
import { verifyBundle, type BundleCheck } from '../model/verify-bundle.ts'
import { findModel } from './model-reference.ts'

/** Prints every check, as text or with --json as one object, and answers the exit code: 4 if any failed. */
export async function verifyModel(reference: string, { json }: { json: boolean }): Promise<number> {
  const directory = findModel(reference)
  const { checks, bundle } = await verifyBundle(directory)
  const all = bundle ? [...checks, await engineCheck(bundle)] : checks
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

async function engineCheck(bundle: Bundle): Promise<BundleCheck> {
  const name = 'golden answers by --engine forest'
  try {
    const classifier = await openEngine(bundle, { threads: 1 })
    try {
      const comparison = await answerGolden(classifier, bundle.golden)
      return { name, ok: comparison.differing === 0, detail: describeComparison(comparison) }
    } finally {
      await classifier.close()
    }
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) }
  }
}

function textOf(checks: readonly BundleCheck[], directory: string, ok: boolean): string {
  const lines = checks.map(({ name, ok: passed, detail }) => `${passed ? 'ok    ' : 'FAILED'}  ${name}: ${detail}`)
  return `${[...lines, ok ? `${directory} may be used` : `${directory} must not be used`].join('\n')}\n`
}
