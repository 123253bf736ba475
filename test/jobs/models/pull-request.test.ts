import { realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resolvePull, type PullTarget } from '../../../src/jobs/models/pull-request.ts'
import { UsageError } from '../../../src/errors.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const home = process.cwd()
let environment: { LCCLF_KNOWN_MODELS: string }

beforeEach(() => {
  const work = realpathSync(temporaryFolder())
  process.chdir(work)
  const model = (name: string, version: string) => ({ name, version, url: `https://x.org/${name}/${version}/` })
  const models = [model('f', '1.0'), model('f', '1.10'), model('f', '1.9'), model('g', '3')]
  environment = { LCCLF_KNOWN_MODELS: join(work, 'known.json') }
  writeFileSync(environment.LCCLF_KNOWN_MODELS, JSON.stringify({ default: 'f@1.0', models }))
})

afterEach(() => process.chdir(home))

function pin(name: string, version: string, address: string | null): void {
  const sha256 = '0'.repeat(64)
  writeFileSync('lcclf.lock', JSON.stringify({ schemaVersion: 1, name, version, sha256, address }))
}

const resolved = (target: PullTarget) => {
  const { name, version, address } = resolvePull(target, environment)
  return `${name}@${version} ${address}`
}

const refusal = (target: PullTarget): UsageError => {
  try {
    resolved(target)
  } catch (error) {
    if (error instanceof UsageError) return error
    throw error
  }
  return expect.unreachable('it should have been refused')
}

describe('what is pulled', () => {
  it.each<[PullTarget, string]>([
    [{}, 'f@1.0'],
    [{ name: 'f' }, 'f@1.0'],
    [{ version: '1.0' }, 'f@1.0'],
    [{ version: '1.9' }, 'f@1.9'],
    [{ version: '3' }, 'g@3'],
    [{ name: 'g' }, 'g@3'],
    [{ name: 'f', version: '1.10' }, 'f@1.10'],
    [{ source: 'f' }, 'f@1.10'],
    [{ source: 'f', version: '1.9' }, 'f@1.9'],
    [{ source: 'f@1.9', name: 'f', version: '1.9' }, 'f@1.9'],
  ])('of the known models by %j is %s, from its own address', (target, model) => {
    expect(resolved(target)).toBe(`${model} https://x.org/${model.replace('@', '/')}/`)
  })

  it.each<[PullTarget, RegExp]>([
    [{ version: '9' }, /^--version 9: neither an address nor a known model/],
    [{ name: 'h' }, /^--name h: /],
    [{ source: 'f', version: '3' }, /^f --version 3: /],
    [{ source: 'f@1.9', version: '1.10' }, /^f@1\.9 and --version 1\.10 are not the same/],
    [{ source: 'f', name: 'mine' }, /^f and --name mine are not the same/],
  ])('is refused where no known model matches %j', (target, message) => {
    const { message: said, hint } = refusal(target)
    expect(said).toMatch(message)
    expect(hint).toContain('f@1.0, f@1.10, f@1.9, g@3')
  })

  it('by an address is named by the flags', () => {
    pin('f', '1.0', 'https://y.org/f/')
    expect(resolved({ source: 'https://z.org/', name: 'h', version: '7' })).toBe('h@7 https://z.org/')
  })

  it('in a pinned folder is the pinned model, and no other without an address', () => {
    pin('f', '1.9', 'https://y.org/f/')
    expect(resolved({})).toBe('f@1.9 https://y.org/f/')
    expect(resolved({ name: 'f', version: '1.9' })).toBe('f@1.9 https://y.org/f/')
    expect(refusal({ name: 'nix', version: '7' }).message).toMatch(
      /lcclf\.lock pins f@1\.9, not --name nix --version 7/,
    )
    expect(resolved({ source: 'f@1.10' })).toContain('f@1.10')
  })

  it('by a pin without an address is a known model, or nothing', () => {
    pin('f', '1.9', null)
    expect(resolved({})).toBe('f@1.9 https://x.org/f/1.9/')
    expect(refusal({ version: '1.10' }).message).toMatch(/pins f@1\.9, not --version 1\.10/)
    pin('f', '5', null)
    expect(refusal({}).message).toMatch(/lcclf\.lock pins f@5 without an address/)
    expect(refusal({ version: '9' }).message).toMatch(/pins f@5, not --version 9/)
  })
})
