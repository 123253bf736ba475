// The story of `lcclf model verify`: whether a bundle may be used.
import { messageOf } from '../../errors.ts'
import type { Bundle } from '../../model/bundle/read-bundle.ts'
import { type BundleCheck, verifyBundle } from '../../model/bundle/verify-bundle.ts'
import { checkGolden, type EngineName, enginesOf } from '../../model/open.ts'
import { cacheFolder, findBundle } from '../../model/store/model-reference.ts'
import { localModel } from './local-model.ts'
import { harmless } from '../../terminal/text-table.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Prints every check, as text or with --json as one object, and answers the exit code: 4 if any failed. */
export async function verifyModel(reference: string, { json }: { json: boolean }): Promise<number> {
  const directory = findBundle(await localModel(reference))
  const { checks: found, bundle } = await verifyBundle(directory)
  const checks = [...found]
  if (bundle) {
    for (const engine of enginesOf(bundle)) checks.push(await engineCheck(directory, bundle, engine))
  }
  const ok = checks.every((check) => check.ok)
  const exitCode = ok ? 0 : 4
  const sha256 = bundle?.sha256 ?? null
  const report = { schemaVersion: 1, command: 'model verify', directory, sha256, ok, checks, exitCode }
  const lines = checks.map(
    ({ name, ok: passed, detail }) => `${passed ? 'ok    ' : 'FAILED'}  ${harmless(`${name}: ${detail}`)}`,
  )
  const verdict = ok ? `${directory} may be used` : `${directory} must not be used`
  await print(`${json ? JSON.stringify(report) : [...lines, verdict].join('\n')}\n`)
  return exitCode
}

async function engineCheck(directory: string, bundle: Bundle, engine: EngineName): Promise<BundleCheck> {
  const name = `golden answers by --engine ${engine}`
  try {
    return { name, ...(await checkGolden(directory, bundle, cacheFolder(), engine)) }
  } catch (error) {
    return { name, ok: false, detail: messageOf(error) }
  }
}
