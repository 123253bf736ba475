import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from './support/temporary-folder.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const run = promisify(execFile)
const tool = (name: string): string => join(root, 'node_modules/.bin', name)
const folder = temporaryFolder()
let tarball: string

describe('the package', () => {
  beforeAll(async () => {
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
    tarball = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
    )
  })

  it('is packed as Node and bundlers expect it (publint)', async () => {
    const { stdout } = await run(tool('publint'), ['run', '--strict', tarball])
    expect(stdout).toContain('All good!')
  })

  it('has the types that whoever imports it finds (attw); it is for ES modules only', async () => {
    const { stdout } = await run(tool('attw'), [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color'])
    // what it finds fails the command; here it has looked at the module
    expect(stdout).toMatch(/node16 \(from ESM\) │ OK/)
  })
})
