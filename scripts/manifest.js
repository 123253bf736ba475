// Writes oclif.manifest.json from dist/, so that `lcclf --help` need not load a single command. A test holds it fresh.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Plugin } from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
const plugin = new Plugin({ root, ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
await plugin.load()
const { version } = plugin.manifest
// oclif finds them in no particular order
const commands = Object.fromEntries(Object.entries(plugin.manifest.commands).sort(([a], [b]) => (a < b ? -1 : 1)))
const target = process.argv[2] ?? `${root}oclif.manifest.json`
writeFileSync(target, `${JSON.stringify({ commands, version }, null, 2)}\n`)
