// The package as a stranger installs it: a tarball, an empty folder, the npm registry and nothing else.
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const folder = temporaryFolder()
const prefix = join(folder, 'prefix')
const [major, minor] = process.versions.node.split('.').map(Number) as [number, number]
const modules = join(prefix, 'lib/node_modules/lcclf')
let tarball: string
let said: string

/** As in a shell of the user's: without what the npm that runs the tests has set. */
function inEmptyFolder(command: string, ...args: string[]) {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_OPTIONS|VITEST|LCCLF_)/i.test(name))
  const env = { ...Object.fromEntries(own), PATH: `${join(prefix, 'bin')}:${process.env['PATH']}` }
  return run(command, args, { cwd: folder, env })
}

/** Bytes of all files below a folder. */
function weightOf(path: string): number {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true })
  return entries.reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0,
  )
}

describe('a global install of the packed tarball', { tags: ['long'] }, () => {
  beforeAll(async () => {
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
    tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!
    const { stdout, stderr } = await inEmptyFolder('npm', 'install', '-g', '--prefix', prefix, `./${tarball}`)
    said = stdout + stderr
  })

  it('runs no install script, and has no package that would', () => {
    const manifests = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter((path) =>
      /(^|node_modules\/(@[^/]+\/)?[^/]+\/)package\.json$/.test(path),
    )
    expect(manifests.length).toBeGreaterThan(150)
    const scripted = manifests.filter((path) => {
      const { scripts = {} } = JSON.parse(readFileSync(join(modules, path), 'utf8')) as { scripts?: object }
      // of a tarball's own, npm counts `prepare` too
      const counted = ['preinstall', 'install', 'postinstall', ...(path === 'package.json' ? ['prepare'] : [])]
      return counted.some((name) => name in scripts)
    })
    expect(scripted).toEqual([])
  })

  it('is warned of nothing, from Node 22.19 on', () => {
    const warned = said.split('\n').filter((line) => /warn|deprecated/i.test(line))
    const isWarnedOf = major < 22 || (major === 22 && minor < 19)
    // two packages below the Kafka client say that they want a newer Node; they run on 20.19
    expect(isWarnedOf ? warned.filter((line) => !line.includes('EBADENGINE')) : warned).toEqual([])
  })

  it('weighs at most 160 MB, without onnxruntime', () => {
    expect(weightOf(modules)).toBeLessThan(160e6)
    expect(readdirSync(join(modules, 'node_modules'))).not.toContain('onnxruntime-node')
  })

  it('classifies, and says what brings the engine that it lacks', async () => {
    const sample = join(modules, 'samples/ztf-300.parquet')
    await inEmptyFolder('lcclf', 'classify', sample, '--to', 'classes.csv')
    expect(readFileSync(join(folder, 'classes.csv'), 'utf8').split('\n')).toHaveLength(302)
    const refused = inEmptyFolder('lcclf', 'classify', sample, '--engine', 'onnx', '--to', 'onnx.csv')
    await expect(refused).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringContaining('npm install -g --ignore-scripts onnxruntime-node@1') as string,
    })
  })
})
