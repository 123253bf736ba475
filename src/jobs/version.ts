// What this lcclf is, for bug reports and for programs.
import { readFileSync } from 'node:fs'
import { formatVersions, kinds } from '../model/bundle/manifest.ts'
import { inputFormats } from '../connectors/address.ts'
import { print } from '../terminal/standard-streams.ts'

/** What oclif knows about the package that runs. */
interface RunningPackage {
  readonly name: string
  readonly version: string
  /** the line that `--version` prints */
  readonly userAgent: string
}

/** Prints the line of `--version`, or with `json` one object. */
export async function showVersion({ name, version, userAgent }: RunningPackage, json: boolean): Promise<void> {
  if (!json) return print(`${userAgent}\n`)
  const report = {
    ...{ schemaVersion: 1, name, version, commit: builtFrom() },
    ...{ node: process.versions.node, platform: process.platform, arch: process.arch },
    models: { bundleFormats: formatVersions, kinds },
    inputFormats,
  }
  await print(`${JSON.stringify(report)}\n`)
}

/** The commit that dist/ was built from, with `-dirty` where files had been changed; null where the build did not know. */
function builtFrom(): string | null {
  try {
    const { commit } = JSON.parse(readFileSync(new URL('../commit.json', import.meta.url), 'utf8')) as {
      commit: unknown
    }
    return typeof commit === 'string' && commit !== '' ? commit : null
  } catch {
    return null
  }
}
