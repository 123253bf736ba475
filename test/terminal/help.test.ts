import { fileURLToPath } from 'node:url'
import { Config } from '@oclif/core/config'
import { describe, expect, it } from 'vitest'
import { camelCased } from '../../src/terminal/flags.ts'
import PlainHelp from '../../src/terminal/help.ts'

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

it('flags are known to code by names in camel case', () => {
  expect(camelCased({ 'id-column': 'oid', to: ['a'], 'no-progress': false })).toEqual({
    idColumn: 'oid',
    to: ['a'],
    noProgress: false,
  })
})
