import { fileURLToPath } from 'node:url'
import { Config } from '@oclif/core/config'
import { describe, expect, it } from 'vitest'
import { knownSuffixes } from '../../src/connectors/address.ts'
import { BalanceError, DataError, ModelError, ServiceError, UsageError } from '../../src/errors.ts'
import { camelCased } from '../../src/terminal/flags.ts'
import { topics } from '../../src/terminal/help-topics.ts'
import PlainHelp from '../../src/terminal/help.ts'
import { lcclf } from '../support/lcclf.ts'

const config = await Config.load(fileURLToPath(new URL('../..', import.meta.url)))

/** The page of a command on a terminal of 80 columns. */
async function pageOf(command: (typeof config.commands)[number]): Promise<string> {
  const lines: string[] = []
  class Recorded extends PlainHelp {
    protected override log(...texts: string[]): void {
      lines.push(...texts)
    }
  }
  await new Recorded(config, { maxWidth: 80, stripAnsi: true }).showCommandHelp(command)
  return lines.join('\n')
}

describe('the help of every command', () => {
  it.each(config.commands.map((command) => [command.id, command] as const))('reads well: %s', async (_, command) => {
    const page = await pageOf(command)
    expect(page.split(command.summary!)).toHaveLength(2)
    const groups = [...page.matchAll(/^(\w+) FLAGS$/gm)].map(([, name]) => name!)
    expect(groups).toEqual(['INPUT', 'MODEL', 'OUTPUT', 'RUN', 'PROFILE'].filter((name) => groups.includes(name)))
    const [beforeExamples] = page.split('\nEXAMPLES')
    expect(beforeExamples!.split('\n').filter((line) => line.length > 80)).toEqual([])
    // a paragraph that was broken by hand would leave a short line before its end
    expect(command.description?.split('\n\n').filter((paragraph) => paragraph.includes('\n')) ?? []).toEqual([])
  })
})

/** What `lcclf help WORD` prints on a terminal of 80 columns. */
async function topicPage(word: string): Promise<string> {
  const lines: string[] = []
  class Recorded extends PlainHelp {
    protected override log(...texts: string[]): void {
      lines.push(...texts)
    }
  }
  await new Recorded(config, { maxWidth: 80, stripAnsi: true }).showHelp([word])
  return lines.join('\n')
}

describe('the pages about what is no command', () => {
  it.each(topics.map(({ name }) => name))('fit 80 columns: %s', async (name) => {
    const page = await topicPage(name)
    expect(page.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('tell every exit code that an error has, every suffix, and every parameter of an address', async () => {
    const errors = [UsageError, DataError, ModelError, ServiceError, BalanceError].map((Kind) => new Kind('').exitCode)
    const codes = [...(await topicPage('exit-codes')).matchAll(/^  (\d+) /gm)].map(([, code]) => Number(code))
    expect(codes).toEqual([0, 1, ...errors, 130, 143])
    expect((await topicPage('formats')).match(/\.[a-z.]+(?=[ \n])/g)).toEqual(
      expect.arrayContaining(knownSuffixes.input.split(' ')),
    )
    expect(await topicPage('addresses')).toContain('  as an input   tables, table, query, version, oids')
  })

  it('are listed by lcclf --help', async () => {
    const { stdout } = await lcclf(['--help'])
    expect(topics.filter(({ name }) => !stdout.includes(`help ${name} `))).toEqual([])
  })
})

describe('lcclf version', () => {
  it('is the line of --version, and with --json says what bug reports need', async () => {
    const [line, word, { stdout }] = await Promise.all([
      lcclf(['--version']),
      lcclf(['version']),
      lcclf(['version', '--json']),
    ])
    expect(word.stdout).toBe(line.stdout)
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 1,
      name: 'lcclf',
      version: config.version,
      commit: expect.toSatisfy(
        (commit) => commit === null || /^[0-9a-f]{40}(-dirty)?$/.test(commit as string),
      ) as unknown,
      node: process.versions.node,
      platform: process.platform,
      arch: process.arch,
      models: { bundleFormats: [1, 2], kinds: ['forest', 'onnx'] },
      inputFormats: ['parquet', 'csv', 'tsv', 'ndjson', 'arrow', 'fits', 'votable', 'avro'],
    })
  })
})

it('flags are known to code by names in camel case', () => {
  expect(camelCased({ 'id-column': 'oid', to: ['a'], 'no-progress': false })).toEqual({
    idColumn: 'oid',
    to: ['a'],
    noProgress: false,
  })
})
