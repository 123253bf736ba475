import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const library = fileURLToPath(new URL('../dist/index.d.ts', import.meta.url))

/** Packages whose types can be read by every TypeScript since 5.4 without `skipLibCheck` (test/outside/package.test.ts). */
const allowed = ['@oclif/core/interfaces']

/** What type declarations import, and what those import, without Node's own modules: by package, the files on the way there. */
function packagesFrom(start: string): Map<string, readonly string[]> {
  const packages = new Map<string, readonly string[]>()
  const ways = new Map<string, readonly string[]>([[start, [start]]])
  for (const [path, way] of ways) {
    for (const { fileName: name } of ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles) {
      if (name.startsWith('.')) {
        const next = join(dirname(path), name.replace(/\.[jt]s$/, '.d.ts'))
        if (!ways.has(next)) ways.set(next, [...way, next])
      } else if (!name.startsWith('node:') && !packages.has(name)) packages.set(name, way)
    }
  }
  return packages
}

describe('the types of the library', () => {
  it('come from no package that another TypeScript than ours may not understand', () => {
    const others = [...packagesFrom(library)].filter(([name]) => !allowed.includes(name))
    expect(others).toEqual([])
  })
})
