// The stories of `lcclf model show`, `list`, `lock` and `remove`: what is in the store, told, pinned and removed.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '../../model/bundle/manifest.ts'
import { readManifest, readParts } from '../../model/bundle/read-bundle.ts'
import { type BundleCalibration, readBundleCalibration } from '../../model/calibration/bundle-calibration.ts'
import { type Structure, structureOf } from '../../model/bundle/structure.ts'
import { describeModel, type ModelDescription, readPulledRecord } from '../../model/store/describe-model.ts'
import { byteText } from '../../formats/shown-text.ts'
import { findBundle, modelNotFound, modelStore, splitReference, writePin } from '../../model/store/model-reference.ts'
import { localModel } from './local-model.ts'
import { listOf } from '../../model/store/model-store.ts'
import { harmless, textTable } from '../../terminal/text-table.ts'
import { UsageError } from '../../errors.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Prints everything a manifest says, as text or with --json as one object. */
export async function showModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const directory = findBundle(await localModel(reference))
  const { manifest, sha256 } = await readManifest(directory)
  const pulled = readPulledRecord(directory)
  const structure = structureOf(manifest, await readParts(directory, manifest))
  const calibration = await readBundleCalibration(directory)
  if (json) {
    const learnt = calibration && { ...calibration, sets: calibration.sets.map(({ class: name, labels }) => ({ class: name, labels })) } // prettier-ignore
    const about = { directory, sha256, manifest, structure, calibration: learnt ?? null, pulled: pulled ?? null }
    const report = { schemaVersion: 1, command: 'model show', ...about }
    await print(`${JSON.stringify(report)}\n`)
    return
  }
  const { name, version, trainedBy, golden, origin, files, features } = manifest
  const library = trainedBy.version === null ? trainedBy.library : `${trainedBy.library} ${trainedBy.version}`
  const lines = [
    `${name}@${version}`,
    `  folder     ${directory}`,
    `  sha256     ${sha256}`,
    `  kind       ${structure.kind}, trained by ${library}`,
    `  golden     ${golden.rows} rows from ${golden.source}`,
    ...structureLines(structure),
    ...(calibration ? calibrationLines(calibration) : []),
    ...(pulled ? [`  pulled     from ${pulled.address} at ${pulled.pulledAt}`] : []),
    '',
    'hierarchy',
    ...hierarchyOf(manifest),
    '',
    `features (${features.length})`,
    ...wrapped(features, 116),
    '',
    ...digestsOf('made from', origin),
    ...digestsOf('files', files),
  ]
  await print(`${lines.map(harmless).join('\n')}\n`)
}

/** What stands around the trees, and what becomes of values that are no numbers. */
function structureLines({ steps, link, margins, calibration, missing, infinite, large }: Structure): string[] {
  const shown = margins === null ? 'margins' : `${counted(margins.length, 'margin')} (classify --margins)`
  return [
    ...(steps.length > 0 ? [`  steps      ${steps.join(' → ')}`] : []),
    ...(link === null ? [] : [`  link       ${shown} → ${link} → probabilities`]),
    ...(calibration === null ? [] : [`  calibrated ${calibration}`]),
    `  missing    ${missing}`,
    `  infinite   ${infinite}`,
    `  large      ${large}`,
  ]
}

/** What `lcclf calibrate` learnt: its data, its scores, and what is done to each level. */
function calibrationLines({ data, levels, product, sets }: BundleCalibration): string[] {
  const change = (key: 'calibrationError' | 'logLoss'): string =>
    `${product.none[key].toFixed(4)} → ${product.calibrated[key].toFixed(4)}`
  const kinds = levels.map(
    ({ name, parameters }) => `${name} ${parameters.kind === 'none' ? 'left alone' : parameters.kind}`,
  )
  const fewest = sets.reduce((least, one) => (one.labels < least.labels ? one : least))
  return [
    `  learnt     from ${counted(data.objects, 'labelled object')} (${counted(fewest.labels, 'label')} of ${fewest.class}): ${kinds.join(', ')}`,
    `             ECE ${change('calibrationError')}, log loss ${change('logLoss')} (classify --calibrated, --sets)`,
  ]
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** The levels as a tree; the classes of a branch below it, in the model's order. */
function hierarchyOf({ levels, taxonomy }: Manifest): string[] {
  const [top, ...branches] = levels
  const size = ({ trees, nodes }: Manifest['levels'][number]): string =>
    trees > 0 ? ` (${trees} trees, ${nodes.toLocaleString('en')} nodes)` : ''
  const lines = [`  ${top!.name}${size(top!)}`]
  if (taxonomy === null) return [...lines, ...branchesOf(top!.classes, '  ')]
  Object.entries(taxonomy).forEach(([branch, classes], index, all) => {
    const isLast = index === all.length - 1
    const level = branches.find((candidate) => candidate.branch === branch)!
    lines.push(`  ${isLast ? '└' : '├'}─ ${branch}${size(level)}`)
    lines.push(...branchesOf(classes, isLast ? '     ' : '  │  '))
  })
  return lines
}

function branchesOf(names: readonly string[], indent: string): string[] {
  return names.map((name, index) => `${indent}${index === names.length - 1 ? '└' : '├'}─ ${name}`)
}

function digestsOf(title: string, files: Manifest['files']): string[] {
  const width = Math.max(0, ...files.map(({ file }) => file.length))
  const lines = files.map(({ file, sha256, size }) => [file.padEnd(width), byteText(size).padStart(8), sha256])
  return [title, ...lines.map((parts) => `  ${parts.join('  ')}`)]
}

function wrapped(words: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length + 2 <= width) lines[lines.length - 1] = `${last}  ${word}`
    else lines.push(`  ${word}`)
  }
  return lines
}

/** Lists the store, as a table or with --json as one object; answers 4 if a model in it is damaged. */
export async function listModels({ json, verify }: { json: boolean; verify: boolean }): Promise<number> {
  const store = modelStore()
  const models: ModelDescription[] = []
  for (const model of store.listAll()) models.push(await describeModel(model, { verify }))
  const exitCode = models.some(({ problem }) => problem !== null) ? 4 : 0
  if (json) {
    const report = { schemaVersion: 1, command: 'model list', store: store.root, models, exitCode }
    await print(`${JSON.stringify(report)}\n`)
    return exitCode
  }
  if (models.length === 0) {
    process.stderr.write(`The model store ${store.root} is empty: lcclf model pull downloads a model.\n`)
    return exitCode
  }
  const shownVerdict = (verified: boolean | null) => (verified === null ? '-' : verified ? 'yes' : 'NO')
  const lines = textTable({
    rows: models,
    columns: [
      { heading: 'NAME', cell: ({ name }) => name, isText: true },
      { heading: 'VERSION', cell: ({ version }) => version, isText: true },
      { heading: 'KIND', cell: ({ structure }) => structure?.kind ?? '-', isText: true },
      { heading: 'CLASSES', cell: ({ classes }) => String(classes.length), isText: true },
      { heading: 'TREES', cell: ({ trees }) => String(trees), isText: true },
      { heading: 'SIZE', cell: ({ size }) => byteText(size), isText: true },
      { heading: 'VERIFIED', cell: ({ verified }) => shownVerdict(verified), isText: true },
      { heading: 'ORIGIN', cell: ({ origin }) => origin, isText: true },
    ],
  })
  await print(`${lines.join('\n')}\n`)
  for (const { name, version, problem } of models) {
    if (problem !== null) process.stderr.write(`${name}@${version} is damaged: ${harmless(problem)}\n`)
  }
  return exitCode
}

/** Pins a model in the work folder. */
export async function lockModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const directory = findBundle(await localModel(reference))
  const { manifest, sha256 } = await readManifest(directory)
  const { name, version } = manifest
  const address = readPulledRecord(directory)?.address ?? null
  const pin = { schemaVersion: 1, name, version, sha256, address } as const
  const path = await writePin(pin)
  process.stderr.write(`${path} pins ${harmless(`${name}@${version}`)}, sha256 ${sha256}\n`)
  if (json) await print(`${JSON.stringify({ ...pin, command: 'model lock' })}\n`)
}

/** Takes a model out of the store. A name alone means its highest version, as everywhere. */
export async function removeModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const store = modelStore()
  const [name, version] = splitReference(reference)
  const model = store.find(name, version)
  if (!model) {
    if (existsSync(join(reference, 'manifest.json'))) {
      throw new UsageError(`${reference}: a folder outside the model store`, {
        hint: 'Only models of the store are removed: give name@version. Delete your own folders yourself.',
      })
    }
    throw modelNotFound(reference)
  }
  await store.remove(model)
  const others = store.listAll().filter((other) => other.name === name)
  const rest = others.length === 0 ? '' : `; the store still has ${listOf(others)}`
  process.stderr.write(`${model.name}@${model.version} is removed${rest}\n`)
  if (json) await print(`${JSON.stringify({ schemaVersion: 1, command: 'model remove', ...model })}\n`)
}
