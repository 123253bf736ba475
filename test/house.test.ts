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
  /** patterns of the files that other rooms may import, relative to the room */
  readonly doors: readonly string[]
  readonly rooms: ReadonlySet<string>
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

/** `a/{b,c}.ts` → `a/b.ts`, `a/c.ts` */
function opened(door: string): string[] {
  const [, before, choices, after] = /^(.*)\{(.*)\}(.*)$/.exec(door) ?? []
  return choices === undefined ? [door] : choices.split(',').map((choice) => `${before}${choice}${after}`)
}

function readRules(): Map<string, Rule> {
  return new Map(
    tableRows('The rooms').map(([room, , doors, imports, packages]) => [
      codeWords(room!)[0]!,
      { doors: codeWords(doors!), rooms: new Set(codeWords(imports!)), packages: new Set(codeWords(packages!)) },
    ]),
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
const roomOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path)
const isLocal = ({ target }: Import) => target.startsWith('.')
const targetOf = ({ from, target }: Import) => relative(source, join(source, from, '..', target))

const targetsOf = new Map(
  files.map((path) => [path, imports.filter((line) => line.from === path && isLocal(line)).map(targetOf)]),
)

function packageOf(target: string): string {
  const parts = target.split('/')
  return target.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}

describe('the house', () => {
  const rules = readRules()

  it('has the rooms that its map names, and no others', () => {
    const rooms = new Set(files.filter((path) => path.includes('/')).map(roomOf))
    expect([...rooms].sort()).toEqual([...rules.keys()].sort())
  })

  it('imports across rooms, types included, only as its map allows', () => {
    const wrong = imports.filter((line) => {
      const rule = rules.get(roomOf(line.from))
      if (!rule || !isLocal(line)) return false
      const to = roomOf(targetOf(line))
      return to !== roomOf(line.from) && !to.endsWith('.ts') && !rule.rooms.has(to)
    })
    expect(wrong).toEqual([])
  })

  it('enters a room only through its doors, and keeps no door that leads nowhere', () => {
    const entered = imports.filter(isLocal).flatMap((line) => {
      const target = targetOf(line)
      const isOther = roomOf(target) !== roomOf(line.from) && target.includes('/') && line.from.includes('/')
      return isOther ? [{ from: line.from, room: roomOf(target), file: target.slice(target.indexOf('/') + 1) }] : []
    })
    const closed = entered.filter(({ room, file }) => !(rules.get(room)?.doors ?? []).flatMap(opened).includes(file))
    expect(closed.map(({ from, room, file }) => `${from} → ${room}/${file}`)).toEqual([])
    const doors = [...rules].flatMap(([room, rule]) =>
      rule.doors.flatMap((door) => opened(door).map((file) => ({ room, file }))),
    )
    const unused = doors.filter((door) => !entered.some(({ room, file }) => room === door.room && file === door.file))
    expect(unused).toEqual([])
  })

  it('allows no room to import one above it', () => {
    const order = [...rules.keys()]
    const upwards = [...rules].flatMap(([room, rule]) =>
      [...rule.rooms]
        .filter((other) => order.indexOf(other) <= order.indexOf(room))
        .map((other) => `${room} → ${other}`),
    )
    expect(upwards).toEqual([])
  })

  it('has no circle, types included', () => {
    const isClear = new Set<string>()
    const circleFrom = (path: string, way: readonly string[]): readonly string[] | undefined => {
      if (way.includes(path)) return [...way.slice(way.indexOf(path)), path]
      if (isClear.has(path)) return undefined
      for (const target of targetsOf.get(path) ?? []) {
        const circle = circleFrom(target, [...way, path])
        if (circle) return circle
      }
      isClear.add(path)
      return undefined
    }
    expect(files.map((path) => circleFrom(path, [])).find((circle) => circle)).toBeUndefined()
  })

  it('uses a package only where its map says', () => {
    const wrong = imports.filter(({ from, target, isType }) => {
      const rule = rules.get(roomOf(from))
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
    expect(versions.filter(([, version]) => !/^(npm:[\w@/-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([])
  })

  it('has every file that its map sends readers to', () => {
    const named = [...map.matchAll(/`([\w-]+\/[\w/-]+\.ts)`/g)].map(([, path]) => path!)
    expect(named.length).toBeGreaterThan(20)
    const doors = new Set([...rules.values()].flatMap((rule) => rule.doors))
    const known = new Set([...files, 'test/house.test.ts'])
    expect(named.filter((path) => !doors.has(path) && !known.has(path))).toEqual([])
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
