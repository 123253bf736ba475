import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { extract } from 'tar'
import { beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const tool = (name: string): string => join(root, 'node_modules/.bin', name)
const folder = temporaryFolder()
/** a project that has installed the package */
const project = temporaryFolder()
const installed = join(project, 'node_modules/lcclf')
let tarball: string

describe('the package', () => {
  beforeAll(async () => {
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
    tarball = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
    )
    mkdirSync(installed, { recursive: true })
    await extract({ file: tarball, cwd: installed, strip: 1 })
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

  it('has every file that its texts link to', () => {
    const texts = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'))
    const links = texts.flatMap((path) =>
      [...readFileSync(join(installed, path), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, to]) => ({
        ...{ path, to, leadsTo: join(installed, dirname(path), to!) },
      })),
    )
    expect(links.length).toBeGreaterThan(40)
    expect(links.filter(({ leadsTo }) => !leadsTo.startsWith(installed) || !existsSync(leadsTo))).toEqual([])
  })

  describe('is understood without skipLibCheck', { tags: ['long'] }, () => {
    beforeAll(() => {
      linkDependencies(join(project, 'node_modules'))
      writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
      // a type that cannot be resolved would be `any`, which is whatever is asked of it
      writeFileSync(
        join(project, 'use.ts'),
        `import * as library from 'lcclf'
         import type { ClassifyOptions, Receipt, Sink, StreamOptions } from 'lcclf'
         export const run = (options: ClassifyOptions): Promise<Receipt> => library.runClassify(options)
         export const stream = (options: StreamOptions): Promise<void> => library.runStream(options)
         export const threads: ClassifyOptions['threads'] & StreamOptions['threads'] = 4
         export const delivery: StreamOptions['delivery'] = 'at-least-once'
         // @ts-expect-error not a way to deliver
         export const other: StreamOptions['delivery'] = 'now and then'
         export const durable: Sink['durable'] = 'on-write'`,
      )
    })

    it.each([
      ['5.4, nodenext', 'typescript-5.4', 'nodenext'],
      ['5.4, bundler', 'typescript-5.4', 'bundler'],
      ['5.9, nodenext', 'typescript', 'nodenext'],
      ['5.9, bundler', 'typescript', 'bundler'],
    ])('by TypeScript %s', async (_, compiler, moduleResolution) => {
      const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution
      const flags = { target: 'es2022', lib: 'es2023', types: 'node', module, moduleResolution }
      const found = await run(
        process.execPath,
        [
          join(root, 'node_modules', compiler, 'bin/tsc'),
          // the packages are links: what is beside their targets is not installed here
          ...['--noEmit', '--strict', '--preserveSymlinks', '--pretty', 'false', 'use.ts'],
          ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
        ],
        { cwd: project },
      ).catch((error: { stdout: string }) => error)
      expect(found.stdout).toBe('')
    })
  })
})

/** What npm installs beside the package: its dependencies and theirs, and the types of Node that its user has. */
function linkDependencies(modules: string): void {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const name = path.replace('node_modules/', '')
    const isOwn = path === name || name.includes('node_modules/')
    const isDevelopers = dev === true && !['@types/node', 'undici-types'].includes(name)
    if (isOwn || isDevelopers || !existsSync(join(root, path))) continue
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, path), join(modules, name))
  }
}
