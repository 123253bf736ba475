import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = join(root, 'src')
const map = readFileSync(join(source, 'README.md'), 'utf8')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

interface Rule {
  readonly folders: ReadonlySet<string>
  readonly typesOf: ReadonlySet<string>
  readonly packages: ReadonlySet<string>
}

interface Import {
  readonly from: string
  readonly target: string
  readonly isType: boolean
}

/** the cells of every table row whose first cell is `code` */
function tableRows(heading: string): string[][] {
  const section = map.split(/^## /m).find((part) => part.startsWith(heading)) ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

function codeWords(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word!)
}

function readRules(): Map<string, Rule> {
  return new Map(
    tableRows('The rooms').map(([folder, , imports, packages]) => {
      const words = codeWords(imports!)
      const typesOf = words.filter((word) => word.startsWith('types of ')).map((word) => word.slice('types of '.length))
      const folders = words.filter((word) => !word.startsWith('types of '))
      return [
        codeWords(folder!)[0]!,
        { folders: new Set(folders), typesOf: new Set(typesOf), packages: new Set(codeWords(packages!)) },
      ]
    }),
  )
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.includes('/assembly/'),
)

function importsOf(path: string): Import[] {
  const text = readFileSync(join(source, path), 'utf8')
  const found: Import[] = []
  for (const [, type, target] of text.matchAll(/^(?:import|export) (type )?(?:[^'"]*? from )?'([^']+)'/gms)) {
    found.push({ from: path, target: target!, isType: type !== undefined })
  }
  for (const [, target] of text.matchAll(/import\('([^'$]+)'\)/g)) {
    found.push({ from: path, target: target!, isType: false })
  }
  return found
}

const imports = files.flatMap(importsOf)
const folderOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path)

function packageOf(target: string): string {
  const parts = target.split('/')
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

describe('the house', () => {
  const rules = readRules()

  it('has the folders that its map names, and no others', () => {
    const folders = new Set(files.filter((path) => path.includes('/')).map(folderOf))
    expect([...folders].sort()).toEqual([...rules.keys()].sort())
  })

  it('imports across folders only as its map allows', () => {
    const wrong = imports.filter(({ from, target, isType }) => {
      const rule = rules.get(folderOf(from))
      if (!rule || !target.startsWith('.')) return false
      const to = folderOf(relative(source, join(source, from, '..', target)))
      if (to === folderOf(from) || to === 'errors.ts' || rule.folders.has(to)) return false
      return !(isType && rule.typesOf.has(to))
    })
    expect(wrong).toEqual([])
  })

  it('uses a package only where its map says', () => {
    const wrong = imports.filter(({ from, target, isType }) => {
      const rule = rules.get(folderOf(from))
      if (!rule || isType || target.startsWith('.') || target.startsWith('node:')) return false
      return !rule.packages.has(packageOf(target))
    })
    expect(wrong.map(({ from, target }) => `${from} → ${target}`)).toEqual([])
  })

  it('says of every dependency why it is there', () => {
    const explained = tableRows('Dependencies').map(([name]) => codeWords(name!)[0]!)
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)]
    expect(explained.sort()).toEqual(declared.sort())
  })

  it('pins every dependency to an exact version', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })

  it('gives no file a name that says nothing, and begins each with its job', () => {
    const complaints = files.flatMap((path) => {
      const text = readFileSync(join(source, path), 'utf8')
      const name = path.split('/').at(-1)!
      return [
        ...(/^(utils?|helpers?|common|core|misc|shared|manager)\.ts$/.test(name) ? [`${path}: says nothing`] : []),
        ...(/^(\/\/|\/\*\*) \S/.test(text) ? [] : [`${path}: does not say its job in its first line`]),
      ]
    })
    expect(complaints).toEqual([])
  })
})
