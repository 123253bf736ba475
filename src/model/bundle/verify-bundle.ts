// Everything that can be checked of a bundle without an engine: `lcclf model verify` adds the engines' answers.
import { messageOf } from '../../errors.ts'
import { evaluatePlainly, findBrokenTree, withProduct } from './forest.ts'
import { compareGolden, describeComparison, goldenMatrix } from './golden.ts'
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
  if (bundle) checks.push(...structureChecks(bundle), ...(bundle.forests.length > 0 ? [goldenCheck(bundle)] : []))
  return { checks, bundle }
}

function structureChecks({ manifest, forests }: Bundle): BundleCheck[] {
  return forests.map((forest, index) => {
    const { name, trees, nodes } = manifest.levels[index]!
    const problem = findBrokenTree(forest)
    const detail = `${trees} trees, ${nodes} nodes: each reached once, leaf fractions sum to 1`
    return { name: `structure ${name}`, ok: problem === null, detail: problem ?? detail }
  })
}

function goldenCheck({ manifest, forests, golden }: Bundle): BundleCheck {
  const matrix = goldenMatrix(golden, manifest.preprocessing)
  const answers = forests.map((forest) => evaluatePlainly(forest, matrix, golden.rowCount))
  const comparison = compareGolden(golden, withProduct(manifest, answers, golden.rowCount))
  return {
    name: 'golden answers (plain evaluation)',
    ok: comparison.differing === 0,
    detail: `${describeComparison(comparison)}; expected answers from ${manifest.golden.source}`,
  }
}
