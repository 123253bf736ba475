// What people are told about a command line that cannot be: one sentence of ours, and what they may have meant.
import { fileURLToPath } from 'node:url'
import { Config } from '@oclif/core/config'
import { describe, expect, it } from 'vitest'
import { nearestNames } from '../../src/terminal/usage-errors.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf } from '../support/lcclf.ts'

const config = await Config.load(fileURLToPath(new URL('../..', import.meta.url)))
const options = config.commands.flatMap(({ id, flags }) =>
  Object.values(flags).flatMap((flag) => (flag.type === 'option' ? [{ words: id.split(':'), flag }] : [])),
)

/** Values that our own parsers refuse; what any text may be is checked later, or cannot be wrong. */
const refused: Readonly<Record<string, string>> = {
  threads: '0 to 1024',
  limit: 'whole number of at least 0',
  'batch-size': '1 to 100000',
  'metrics-port': '0 to 65535',
  top: 'whole number',
  bins: '1 to 1000',
  shard: 'I/N',
  rename: 'OLD=NEW',
  'rename-class': 'OLD=NEW',
  'max-rejected': 'a number of rows or a percentage',
  'fail-if-changed': 'a percentage or a number of objects',
  'batch-timeout': 'seconds',
}

/** The only line of an error, or the first of two: the second is the hint. */
function sentenceOf(stderr: string): string {
  const [sentence, hint, ...more] = stderr.trimEnd().split('\n')
  expect(more).toEqual([])
  expect(hint ?? '  ').toMatch(/^ {2}/)
  expect(sentence).not.toMatch(/Parsing|See more help|\t/)
  return sentence!
}

describe('a value that does not fit its flag', () => {
  it.each(options.map(({ words, flag }) => [`${words.join(' ')} --${flag.name}`, words, flag] as const))(
    'is refused in one sentence: %s',
    async (_, words, flag) => {
      const missing = await hostedLcclf([...words, `--${flag.name}`])
      expect(missing.code).toBe(2)
      expect(sentenceOf(missing.stderr)).toMatch(new RegExp(`^lcclf: --${flag.name}: expected `))
      const expected = flag.options?.at(-1) ?? refused[flag.name]
      if (expected === undefined) return
      const { code, stderr } = await hostedLcclf([...words, `--${flag.name}`, '1x'])
      expect(code).toBe(2)
      expect(sentenceOf(stderr)).toMatch(new RegExp(`^lcclf: --${flag.name} 1x: expected .*${expected}`))
    },
  )

  it('is refused alike with --json', async () => {
    const { code, stdout } = await hostedLcclf(['classify', 'x.csv', '--shard', '0/3', '--json'])
    const message = '--shard 0/3: expected I/N with I from 1 to N, for example 3/16, or auto'
    expect([code, JSON.parse(stdout)]).toEqual([2, { error: { code: 'usage', message, hint: null } }])
  })
})

describe('a command line that cannot be', () => {
  it.each([
    ['classify x --modle m', 'unknown flag --modle', 'Did you mean --model?'],
    ['classify x --output=postgres://me:secret@db/x', 'unknown flag --output', 'Did you mean --to?'],
    ['classify x --format csv', 'unknown flag --format', 'Did you mean --from-format or --to-format?'],
    ['classify x --frobnicate', 'unknown flag --frobnicate', 'lcclf classify --help shows how it is used.'],
    ['model list -z --jsn', 'unknown flags -z, --jsn', 'Did you mean --json?'],
    ['model show', 'missing: REF', 'lcclf model show --help shows how it is used.'],
    ['model show a b', 'too many arguments: b', 'lcclf model show --help shows how it is used.'],
    ['model import x', 'missing: --name, --version', 'lcclf model import --help shows how it is used.'],
    ['check x --limit 1 --limit 2', '--limit: given more than once', 'lcclf check --help shows how it is used.'],
    [
      'model import x --name a --version 1 --rename a=b',
      '--rename needs --profile',
      'lcclf model import --help shows how it is used.',
    ],
  ])('is refused in one sentence: %s', async (typed, message, hint) => {
    const { code, stderr } = await hostedLcclf(typed.split(' '))
    expect([code, stderr]).toEqual([2, `lcclf: ${message}\n  ${hint}\n`])
  })
})

describe('what people type before they know the commands', { tags: ['long'] }, () => {
  it.each([
    ['-h', 'COMMANDS'],
    ['help', 'COMMANDS'],
    ['help classify', '$ lcclf classify'],
    ['help model', '$ lcclf model COMMAND'],
    ['help model import', '$ lcclf model import'],
    ['classify -h', '$ lcclf classify'],
    ['-v', 'lcclf/'],
    ['version', 'lcclf/'],
  ])('is answered: %s', async (typed, answer) => {
    const { code, stdout } = await lcclf(typed.split(' '))
    expect(stdout).toContain(answer)
    expect(code).toBe(0)
  })

  it.each([
    ['list', 'list', 'Did you mean lcclf model list?'],
    ['model rm x', 'model rm x', 'Did you mean lcclf model remove?'],
    ['import pickles/', 'import', 'Did you mean lcclf model import?'],
    ['clasify night.parquet', 'clasify', 'Did you mean lcclf classify?'],
    ['modle lst', 'modle lst', 'Did you mean lcclf model list?'],
    ['model foo', 'model foo', 'lcclf model --help lists its commands.'],
    ['model foo --help', 'model foo', 'lcclf model --help lists its commands.'],
    ['help frobnicate', 'frobnicate', 'lcclf --help lists the commands.'],
    ['postgres://me:secret@db/x', 'postgres', 'lcclf --help lists the commands.'],
  ])('is led right: %s', async (typed, command, hint) => {
    const { code, stderr } = await lcclf(typed.split(' '))
    expect([code, stderr]).toEqual([2, `lcclf: there is no command ${command}\n  ${hint}\n`])
  })
})

describe('the nearest names', () => {
  it('differ in a letter of three at most, or hold all of what was typed as a word', () => {
    const known = ['limit', 'from-format', 'to-format', 'model']
    expect(nearestNames('limt', known)).toEqual(['limit'])
    expect(nearestNames('format', known)).toEqual(['from-format', 'to-format'])
    expect(nearestNames('frobnicate', known)).toEqual([])
  })
})
