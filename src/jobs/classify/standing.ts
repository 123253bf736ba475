// What an earlier run left in the place of a result: whether it is done, why not, and whose results would be replaced.
import { statSync } from 'node:fs'
import { plainEtag } from '../../connectors/s3/address.ts'
import type { SourceSpec } from '../../connectors/spec.ts'
import { LcclfError, messageOf, UsageError } from '../../errors.ts'
import type { ModelIdentity } from '../../pipeline/batch.ts'
import { resultOptions, type ClassifyPlan } from './plan.ts'
import { parseReceipt, type StoredReceipt } from './receipt.ts'
import type { FoundResult, ResultPlace } from './result-place.ts'

/** The model of a run, as far as results are concerned. */
export interface Answering {
  readonly identity: ModelIdentity
  /** nobody asked for a model: the sample answers, and replaces nothing but its own results */
  readonly isDemonstration: boolean
}

/** What stands in a result's place. */
interface Standing {
  readonly found: FoundResult | undefined
  readonly receipt: StoredReceipt | undefined
  /** why the result is not what its receipt describes; undefined where it is */
  readonly problem: string | undefined
}

/** Looks at a result and the receipt beside it. @throws ServiceError for a bucket that refuses */
export async function standingIn(place: ResultPlace): Promise<Standing> {
  const [found, text] = [await place.look(), await place.readReceipt()]
  if (text === undefined) {
    return { found, receipt: undefined, problem: found ? 'its result has no receipt' : 'not done yet' }
  }
  let receipt: StoredReceipt
  try {
    receipt = parseReceipt(text)
  } catch (error) {
    return { found, receipt: undefined, problem: `its receipt cannot be read: ${messageOf(error)}` }
  }
  return { found, receipt, problem: await problemOf(found, receipt) }
}

async function problemOf(found: FoundResult | undefined, { result, isBalanced }: StoredReceipt) {
  if (!found) return 'its result is gone'
  if (!isBalanced) return 'its receipt does not add up'
  if (!result) return 'its receipt does not describe its result: an earlier version of lcclf wrote it'
  return found.differs(result)
}

/** Why an input must be classified (again), or undefined if what stands in the place of its result is what this run would make. */
export function whyAgain(
  { receipt, problem }: Standing,
  spec: SourceSpec,
  plan: ClassifyPlan,
  { identity }: Answering,
): string | undefined {
  if (problem !== undefined || receipt === undefined) return problem
  const { model } = receipt
  if (model.sha256 !== identity.sha256) return `it was classified with another model, ${model.name} ${model.version}`
  const changes = optionChanges(receipt.options, resultOptions(plan))
  if (changes.length > 0) return `it was classified with other options: ${changes.join('; ')}`
  return changeOf(receipt.input, spec)
}

/** `--rename was mag=magnitude, now not given`, one for each option that differs. */
function optionChanges(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((name) => {
    const [was, is] = [before, now].map((options) =>
      Object.hasOwn(options, name) ? optionText(options[name]) : absent,
    )
    const flag = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return was === is ? [] : [`--${flag} was ${was}, now ${is}`]
  })
}

const absent = 'not given'

function optionText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? absent : String(value)
  const pairs = Object.entries(value).map(([key, one]) => `${key}=${String(one)}`)
  return pairs.length === 0 ? absent : pairs.sort().join(' ')
}

/** What changed in an input since its receipt was written. */
function changeOf(before: StoredReceipt['input'], spec: SourceSpec): string | undefined {
  if (spec.kind === 'stdin' || before === undefined) return 'stdin cannot be compared'
  if (spec.kind === 'postgres') return 'a database cannot be compared'
  if (spec.kind === 'kafka') return 'a topic cannot be compared'
  if (spec.kind === 'custom') return 'a source of your own cannot be compared'
  if (spec.kind === 'unreadable') return 'it cannot be read'
  const now =
    spec.kind === 's3' ? { size: spec.size, mtime: undefined } : statSync(spec.path, { throwIfNoEntry: false })
  // opening it says so
  if (!now) return 'it is gone'
  const { size, mtime } = now
  if (before.size !== size) return `its size changed from ${before.size} to ${size} bytes`
  if (spec.kind === 's3') {
    if (spec.etag === null) return 'its service gives no ETag'
    return before.etag === plainEtag(spec.etag) ? undefined : 'its ETag changed'
  }
  return before.mtime === mtime?.toISOString() ? undefined : `it was modified at ${mtime?.toISOString()}`
}

/**
 * Keeps what is not this model's. Told to overwrite, a run replaces everything, but for the sample model that nobody asked
 * for: it never replaces what is certainly another model's.
 *
 * @throws UsageError where another model's results, or nobody knows whose, stand in the place
 */
export async function refuseOthersResults(
  place: ResultPlace,
  standing: Standing,
  { replacesOthers }: Pick<ClassifyPlan, 'replacesOthers'>,
  { identity, isDemonstration }: Answering,
): Promise<void> {
  if (replacesOthers && !isDemonstration) return
  const holds = await whatItHolds(place, standing, identity)
  if (holds === undefined || (holds === ofUnknownOrigin && replacesOthers)) return
  const { address } = place.spec
  throw new UsageError(
    `${address} ${holds}, and would be replaced by results of ${identity.name} ${identity.version}`,
    {
      hint: isDemonstration
        ? 'The sample model is a demonstration and replaces nothing but its own results, with --overwrite or without: name a model with --model, or write elsewhere.'
        : 'Name the model that made it with --model, write elsewhere, or replace it with --overwrite.',
    },
  )
}

const ofUnknownOrigin = 'does not say which model it comes from'

/** In words; undefined for results of this model, and for nothing. */
async function whatItHolds(
  { spec }: ResultPlace,
  { found, receipt, problem }: Standing,
  { sha256, classifierVersion }: ModelIdentity,
): Promise<string | undefined> {
  if (!found || found.size === 0) return undefined
  const named = receipt && `holds results of ${receipt.model.name} ${receipt.model.version}`
  if (receipt && problem === undefined) return receipt.model.sha256 === sha256 ? undefined : named
  // the receipt is of something else: the file itself says more
  const versions = await versionsIn(spec.address)
  if (versions) {
    const others = versions.filter((version) => version !== classifierVersion)
    return others.length === 0 ? undefined : `holds results of ${others.join(', ')}`
  }
  if (!receipt) return ofUnknownOrigin
  return receipt.model.sha256 === sha256 ? undefined : named
}

/** The classifier versions that results name; undefined where nothing can be read there. */
async function versionsIn(address: string): Promise<readonly string[] | undefined> {
  const { classifierVersionsIn } = await import('../predictions/classifier-versions.ts')
  try {
    return await classifierVersionsIn(address)
  } catch (error) {
    if (error instanceof LcclfError) return undefined
    throw error
  }
}
