// The story of `lcclf model show`.
import type { Manifest } from '../../model/bundle/manifest.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { readPulledRecord, type PulledRecord } from '../../model/store/pulled-record.ts'
import { byteText } from '../../formats/byte-text.ts'
import { findBundle } from '../../model/store/model-reference.ts'
import { harmless } from '../../terminal/text-table.ts'

/** Prints everything a manifest says, as text or with --json as one object. */
export async function showModel(reference: string, { json }: { json: boolean }): Promise<void> {
  const directory = findBundle(reference)
  const { manifest, sha256 } = await readManifest(directory)
  const pulled = readPulledRecord(directory)
  const report = { schemaVersion: 1, command: 'model show', directory, sha256, manifest, pulled: pulled ?? null }
  process.stdout.write(
    json
      ? `${JSON.stringify(report)}\n`
      : `${textOf(manifest, { directory, sha256, pulled }).map(harmless).join('\n')}\n`,
  )
}

interface Place {
  readonly directory: string
  readonly sha256: string
  readonly pulled: PulledRecord | undefined
}

function textOf(manifest: Manifest, { directory, sha256, pulled }: Place): string[] {
  const { name, version, trainedBy, golden, origin, files, features } = manifest
  const library = trainedBy.version === null ? trainedBy.library : `${trainedBy.library} ${trainedBy.version}`
  return [
    `${name}@${version}`,
    `  folder     ${directory}`,
    `  sha256     ${sha256}`,
    `  kind       ${manifest.kind}, trained by ${library}`,
    `  golden     ${golden.rows} rows from ${golden.source}`,
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
}

/** The levels as a tree; the classes of a branch below it, in the model's order. */
function hierarchyOf({ levels, taxonomy }: Manifest): string[] {
  const [top, ...branches] = levels
  const size = ({ trees, nodes }: Manifest['levels'][number]): string =>
    trees > 0 ? ` (${trees} trees, ${nodes.toLocaleString('en')} nodes)` : ''
  if (taxonomy === null) return [`  ${top!.name}${size(top!)}`, ...branchesOf(top!.classes, '  ')]
  const lines = [`  ${top!.name}${size(top!)}`]
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
  return [
    title,
    ...files.map(({ file, sha256, size }) => `  ${file.padEnd(width)}  ${byteText(size).padStart(8)}  ${sha256}`),
  ]
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
