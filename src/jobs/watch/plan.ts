// What is asked of the night watch → how it watches, where it remembers, and whom it tells.
import { dirname, join } from 'node:path'
import { type AlertPlace, alertPlace } from '../../connectors/alerts/alert-place.ts'
import { type Environment, filled } from '../../connectors/kafka/address.ts'
import { UsageError } from '../../errors.ts'
import { jsonChecker } from '../../formats/checked-json.ts'
import type { FamilyNames } from '../../model/profile/feature-families.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import type { ModelIdentity } from '../../pipeline/batch.ts'

/** What a command or a program asks. */
export interface WatchAsked {
  readonly watch?: boolean | undefined
  /** the watch without its memory */
  readonly watchQuality?: boolean | undefined
  readonly watchState?: string | undefined
  readonly families?: string | undefined
  readonly alert?: readonly string[] | undefined
}

/** How a run is watched. */
export interface WatchPlan {
  /** `default`: a file for each model, beside the store */
  readonly memory: 'none' | 'default' | { readonly file: string }
  /** what is read is not new, and teaches nothing */
  readonly isReplay: boolean
  readonly families: FamilyNames
  readonly alerts: readonly AlertPlace[]
  /** of the features, or `unknown` */
  readonly inputVersion: string
}

/**
 * @param more `isReplay`, and the version that an input names itself
 * @returns undefined where nobody wants a watch
 * @throws UsageError
 */
export function planWatch(
  { watch, watchQuality = false, watchState, families, alert = [] }: WatchAsked,
  environment: Environment,
  more: { readonly isReplay?: boolean; readonly inputVersion?: string | undefined } = {},
): WatchPlan | undefined {
  const [flag] = [
    watchState === undefined ? [] : ['--watch-state'],
    families === undefined ? [] : ['--families'],
    alert.length === 0 ? [] : ['--alert'],
  ].flat()
  const isOn = watch ?? (watchState !== undefined || flag !== undefined)
  if (!isOn && !watchQuality) {
    if (flag === undefined) return undefined
    throw new UsageError(`${flag} is for the night watch, and --no-watch turns it off`)
  }
  return {
    memory: !isOn ? 'none' : watchState === undefined ? 'default' : { file: watchState },
    isReplay: more.isReplay ?? false,
    families: families === undefined ? {} : readFamilies(families),
    alerts: alert.map((address) => alertPlace(address, environment)),
    inputVersion: more.inputVersion ?? filled(environment['FEATURE_VERSION']) ?? 'unknown',
  }
}

function readFamilies(path: string): FamilyNames {
  const hint = 'Write {"name": ["feature", "beginning*"]}.'
  const check = jsonChecker((what, cause) => new UsageError(`--families ${path}: ${what}`, { hint, cause }))
  const families = Object.entries(check.record(check.file(path), 'families'))
  return Object.fromEntries(families.map(([name, features]) => [name, check.names(features, `features of ${name}`)]))
}

/** Where the watch of a model remembers, unless it is told. */
export function usualStateFile({ name, version, sha256 }: ModelIdentity): string {
  const plain = `${name}-${version}`.replace(/[^\w.-]/g, '_')
  return join(dirname(modelStore().root), 'watch', `${plain}-${sha256.slice(0, 8)}.json`)
}
