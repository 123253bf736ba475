// Writes oclif.manifest.json from dist/, so that `lcclf --help` need not load a single command. A test holds it fresh.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Plugin } from '@oclif/core'

const root = fileURLToPath(new URL('..', import.meta.url))
const plugin = new Plugin({ root, ignoreManifest: true, errorOnManifestCreate: true, respectNoCacheDefault: true })
await plugin.load()
const { commands, version } = plugin.manifest
const target = process.argv[2] ?? `${root}oclif.manifest.json`
writeFileSync(target, `${JSON.stringify({ commands, version }, null, 2)}\n`)
