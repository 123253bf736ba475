// `lcclf check` of one input: opened whatever it lacks, read once, held against the model's profile.
import { DataError, UsageError } from '../../errors.ts'
import type { InputProfile } from '../../model/bundle/input-profile.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { compareInputs } from '../../model/profile/compare-inputs.ts'
import { createIdTally } from '../../model/profile/id-tally.ts'
import { createInputTally, type FeatureCounts, type InputTally } from '../../model/profile/input-tally.ts'
import { ColumnError } from '../../connectors/columns/column-error.ts'
import { openSource } from '../../connectors/open-source.ts'
import type { ReadOptions, RowAllowance, Source } from '../../pipeline/source.ts'
import {
  type CheckFinding,
  columnFindings,
  finding,
  idFindings,
  presentFeatures,
  rowFindings,
  typeFinding,
} from './findings.ts'
import type { Input } from '../../connectors/input-names.ts'

/** How inputs are read, and what they are held against. */
interface CheckRequest {
  readonly manifest: Pick<Manifest, 'features' | 'preprocessing'>
  readonly profile: InputProfile | undefined
  readonly idColumn: string
  readonly candidColumn: string
  readonly renames: ReadonlyMap<string, string>
  /** its name, for messages */
  readonly renameMap: string | undefined
  readonly renameMapPairs: ReadonlyMap<string, string> | undefined
  readonly where: string | undefined
  readonly allowance: RowAllowance
}

/** What was seen of an input. */
export interface CheckedInput {
  readonly address: string
  readonly read: number
  readonly rejected: number
  readonly features: readonly FeatureCounts[]
  readonly findings: readonly CheckFinding[]
}

/** An input opened with what of it can be read. */
interface Opened {
  readonly source: Source | undefined
  /** the features that are read; all where the names are not known before the rows */
  readonly features: readonly string[]
  readonly findings: CheckFinding[]
}

const batchSize = 1000

/** Never throws for what an input holds: that is its findings. */
export async function checkInput(input: Input, request: CheckRequest): Promise<CheckedInput> {
  const { address } = input.spec
  const { source, features, findings } = await openWhatCanBe(input, request)
  if (!source) return { address, read: 0, rejected: 0, features: [], findings }
  try {
    const seen = await readRows(source, features, request)
    return { address, ...seen, findings: [...findings, ...seen.findings] }
  } finally {
    await source.close()
  }
}

/** Leaves out columns of other types and tries again, so that everything is said at once. */
async function openWhatCanBe({ spec }: Input, request: CheckRequest): Promise<Opened> {
  const { manifest, idColumn, candidColumn, renameMap } = request
  const wrong: CheckFinding[] = []
  const leftOut = new Set<string>()
  let isWithoutCandid = false
  for (;;) {
    let heard: { names: readonly string[]; renames: ReadonlyMap<string, string> } | undefined
    let features: readonly string[] = manifest.features
    const onNames: ReadOptions['onNames'] = (names, renames) => {
      heard = { names, renames }
      features = presentFeatures({ names, renames, features: manifest.features }).filter((name) => !leftOut.has(name))
      return features
    }
    const named = (): CheckFinding[] => [
      ...(heard ? columnFindings({ ...heard, features: manifest.features, idColumn, candidColumn }, renameMap) : []),
      ...wrong,
    ]
    try {
      const source = await openSource(spec, readOptions(request, onNames, isWithoutCandid))
      return { source, features, findings: named() }
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      const column = error instanceof ColumnError ? (heard?.renames.get(error.column) ?? error.column) : undefined
      if (error instanceof ColumnError) wrong.push(typeFinding(error, column!))
      const isFeature = column !== undefined && features.includes(column) && !leftOut.has(column)
      const isCandid = column === candidColumn && !isWithoutCandid
      if ((isFeature || isCandid) && spec.kind !== 'stdin') {
        if (isCandid) isWithoutCandid = true
        else leftOut.add(column)
        continue
      }
      if (column === undefined) wrong.push(finding('failed', 'input', error.message, error.hint))
      wrong.push(finding('ok', 'values', 'not looked at, because rows cannot be read'))
      return { source: undefined, features, findings: named() }
    }
  }
}

function readOptions(request: CheckRequest, onNames: ReadOptions['onNames'], isWithoutCandid: boolean): ReadOptions {
  const { manifest, idColumn, candidColumn, renames, renameMapPairs, where, allowance } = request
  const own = [...renames].find(([, to]) => to === candidColumn)?.[0] ?? candidColumn
  return {
    features: manifest.features,
    preprocessing: manifest.preprocessing,
    batchSize,
    idColumn,
    // a candid that cannot be read is renamed out of the way
    candidColumn: isWithoutCandid ? 'candid' : candidColumn,
    tellsAll: true,
    rename: isWithoutCandid ? new Map([...renames, [own, '(not read)']]) : renames,
    ...(renameMapPairs === undefined ? {} : { renameMap: renameMapPairs }),
    ...(onNames === undefined ? {} : { onNames }),
    ...(where === undefined ? {} : { where }),
    allowance,
  }
}

async function readRows(
  source: Source,
  features: readonly string[],
  { manifest, profile }: CheckRequest,
): Promise<Omit<CheckedInput, 'address'>> {
  const { missing } = manifest.preprocessing
  const tally = createInputTally({ features, missing, profile, countsSizes: true })
  const ids = createIdTally()
  const reasons = new Map<string, { count: number; example: string }>()
  const findings: CheckFinding[] = []
  let read = 0
  let rejected = 0
  try {
    for await (const delivery of source.deliveries(new AbortController().signal)) {
      const { batch } = delivery
      read += delivery.read
      rejected += delivery.rejected.length
      tally.add(batch.matrix, batch.rowCount)
      ids.add(batch.oids, batch.candids)
      for (const { reason, where, value, others = [] } of delivery.rejected) {
        for (const one of [{ reason, value }, ...others]) {
          const known = reasons.get(one.reason)
          if (known) known.count++
          else
            reasons.set(one.reason, { count: 1, example: one.value === undefined ? where : `${where}: ${one.value}` })
        }
      }
    }
  } catch (error) {
    if (!(error instanceof DataError) && !(error instanceof UsageError)) throw error
    findings.push(finding('failed', 'input', error.message, error.hint))
  }
  findings.push(...rowFindings(reasons, { read, rejected }), ...idFindings(ids.counts()))
  findings.push(...valueFindings(tally, profile))
  for (const note of source.notes?.() ?? []) findings.push(finding('ok', 'input', note))
  return { read, rejected, features: tally.counts(), findings }
}

function valueFindings(tally: InputTally, profile: InputProfile | undefined): CheckFinding[] {
  const counts = tally.counts()
  if (tally.rows === 0 || counts.length === 0) return []
  if (!profile) {
    const empty = counts.filter(({ missing }) => missing === tally.rows)
    return [
      ...empty.map(({ name }) => ({ ...finding('warning', 'values', `null in all ${tally.rows} rows`), column: name })),
      finding('ok', 'values', 'the model has no profile to hold them against (lcclf model import --profile makes one)'),
    ]
  }
  const odd = compareInputs(counts, tally.rows, profile)
  const usual = `${counts.length - odd.length} of ${counts.length} features are as usual`
  return [
    ...odd.map(({ feature, message }) => ({ ...finding('warning', 'values', message), column: feature })),
    finding('ok', 'values', `${usual} (${describeProfile(profile)})`),
  ]
}

/** `8,000 rows of night.parquet`, or of golden inputs. */
function describeProfile({ source, name, rows }: InputProfile): string {
  const count = rows.toLocaleString('en')
  return source === 'file' ? `profile: ${count} rows of ${name}` : `profile: ${count} golden rows only`
}
