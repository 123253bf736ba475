// Everything that can be checked of a bundle without an engine: `lcclf model verify` adds the engines' answers.
import { messageOf } from '../../errors.ts'
import { readBundleCalibration } from '../calibration/bundle-calibration.ts'
import { evaluateBundle } from './evaluate-bundle.ts'
import { findBrokenTree } from './forest.ts'
import { compareGolden, describeComparison, goldenMatrix } from './golden.ts'
import { calibrationFile } from './manifest.ts'
import { type Bundle, readBundle, readChecked, readManifest } from './read-bundle.ts'

export interface BundleCheck {
  readonly name: string
  readonly ok: boolean
  /** what was found, or what is wrong */
  readonly detail: string
}

/**
 * Checks manifest, checksums, structure and golden answers. A failed check is in the report, not thrown; `bundle` is there
 * where the bundle could be opened at all, for the engines' turn.
 */
export async function verifyBundle(
  directory: string,
): Promise<{ checks: readonly BundleCheck[]; bundle: Bundle | null }> {
  const checks: BundleCheck[] = []
  const attempt = async <T>(name: string, work: () => Promise<{ detail: string; value: T }>): Promise<T | null> => {
    try {
      const { detail, value } = await work()
      checks.push({ name, ok: true, detail })
      return value
    } catch (error) {
      checks.push({ name, ok: false, detail: messageOf(error) })
      return null
    }
  }
  const manifest = await attempt('manifest', async () => {
    const { manifest: value, sha256 } = await readManifest(directory)
    return { detail: `${value.name} ${value.version}, sha256 ${sha256}`, value }
  })
  for (const file of manifest?.files ?? []) {
    await attempt(`checksum ${file.file}`, async () => {
      await readChecked(directory, file)
      return { detail: `${file.size} bytes, sha256 ${file.sha256}`, value: true }
    })
  }
  if (checks.some(({ ok }) => !ok)) return { checks, bundle: null }
  const bundle = await attempt('contents', async () => {
    const value = await readBundle(directory)
    return { detail: `${value.forests.length} forests, ${value.golden.rowCount} golden rows`, value }
  })
  if (bundle?.manifest.files.some(({ file }) => file === calibrationFile)) {
    await attempt(`contents ${calibrationFile}`, async () => {
      const { data, levels } = (await readBundleCalibration(directory))!
      const kinds = levels.map(({ parameters: { kind } }) => (kind === 'none' ? 'left alone' : kind)).join(', ')
      return { detail: `${data.objects} objects; ${kinds}; of this forest`, value: true }
    })
  }
  if (bundle) checks.push(...structureChecks(bundle), ...(bundle.forests.length > 0 ? [goldenCheck(bundle)] : []))
  return { checks, bundle }
}

function structureChecks({ manifest, parts, forests }: Bundle): BundleCheck[] {
  return forests.map((forest, index) => {
    const { level, trees, nodes, sum } = parts[index]!
    const { name } = manifest.levels[level]!
    const place = index - parts.findIndex((part) => part.level === level)
    const isOneOfSeveral = parts.filter((part) => part.level === level).length > 1
    const problem = findBrokenTree(forest, sum === null ? 'fractions' : 'numbers')
    const leaves = sum === null ? 'leaf fractions sum to 1' : 'leaves are numbers'
    const detail = `${trees} trees, ${nodes} nodes: each reached once, ${leaves}`
    return {
      name: `structure ${name}${isOneOfSeveral ? ` part ${place + 1}` : ''}`,
      ok: problem === null,
      detail: problem ?? detail,
    }
  })
}

function goldenCheck(bundle: Bundle): BundleCheck {
  const { manifest, golden } = bundle
  const matrix = goldenMatrix(golden, manifest.preprocessing)
  const comparison = compareGolden(golden, evaluateBundle(bundle, matrix, golden.rowCount).probabilities)
  return {
    name: 'golden answers (plain evaluation)',
    ok: comparison.differing === 0,
    detail: `${describeComparison(comparison)}; expected answers from ${manifest.golden.source}`,
  }
}
