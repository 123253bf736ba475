// docs/reference is made from the program; docs/addresses.md is written by hand, and held to the parameters that are known.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { referencePages } from '../scripts/reference.ts'
import { parseKafkaAddress } from '../src/connectors/kafka/address.ts'
import { parsePostgresAddress, type AddressRole } from '../src/connectors/postgres/address.ts'
import type { LcclfError } from '../src/errors.ts'

const docs = fileURLToPath(new URL('../docs', import.meta.url))

/** the parameters that a refusal names */
function knownParameters(parse: () => unknown): string[] {
  try {
    parse()
  } catch (error) {
    const [, list] = /^Known (?:are|parameters:) (.*?)\.(?: |$)/.exec((error as LcclfError).hint ?? '') ?? []
    return list?.split(', ') ?? []
  }
  return []
}

describe('the reference', () => {
  it('is what `npm run manifest` makes', async () => {
    const pages = await referencePages()
    expect(readdirSync(join(docs, 'reference')).sort()).toEqual([...pages.keys()].sort())
    for (const [name, text] of pages) expect(readFileSync(join(docs, 'reference', name), 'utf8'), name).toBe(text)
  })

  it('has every command, exit code and metric', async () => {
    const pages = await referencePages()
    expect(pages.get('README.md')!.match(/^\| \[`lcclf /gm)!.length).toBeGreaterThan(20)
    expect([...pages.get('exit-codes.md')!.matchAll(/^\| (\d)/gm)].map(([, code]) => code)).toEqual([
      ...'0123456',
      ...'111',
    ])
    expect(pages.get('metrics.md')!.match(/^\| `lcclf_/gm)!.length).toBeGreaterThan(10)
    expect(pages.get('classify.md')).toContain('`--to ADDRESS`')
  })
})

describe('the examples of the reference', () => {
  it('use commands and flags that there are', async () => {
    const pages = await referencePages()
    const examples = [...pages.values()].flatMap((text) => [...text.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line!))
    expect(examples.length).toBeGreaterThan(40)
    const unknown = examples.flatMap((line) => {
      const words = /\blcclf ([a-z]+)(?: ([a-z]+))?/.exec(line) ?? []
      const page = pages.get(`${words[1]}-${words[2]}.md`) ?? pages.get(`${words[1]}.md`)
      const flags = [...line.matchAll(/ --([a-z-]+)/g)].map(([, flag]) => flag!)
      return page === undefined
        ? [line]
        : flags.filter((flag) => !page.includes(`--${flag}`)).map((flag) => `${line}: ${flag}`)
    })
    expect(unknown).toEqual([])
  })
})

describe('the page of addresses', () => {
  const text = readFileSync(join(docs, 'addresses.md'), 'utf8')

  it('names every parameter of Kafka', () => {
    const known = knownParameters(() => parseKafkaAddress('kafka://host/topic?unheard=1', 'consumer', {}))
    expect(known).toContain('group')
    expect(known.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })

  it.each(['input', 'output', 'results'] as const)('names every parameter of Postgres as %s', (role: AddressRole) => {
    const known = knownParameters(() => parsePostgresAddress('postgres://host/db?unheard=1', {}, role))
    expect(known).toContain('sslmode')
    expect(known.filter((name) => !text.includes(`\`${name}\``))).toEqual([])
  })
})
