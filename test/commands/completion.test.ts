// What the shells themselves make of the scripts: keys typed into a real bash and a real zsh at a pseudo-terminal, and fish asked.
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { lcclf } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const folder = temporaryFolder()
const answers = (...command: [string, ...string[]]): string => {
  const [program, ...args] = command
  return spawnSync(program, args, { encoding: 'utf8', cwd: folder }).stdout ?? ''
}
const hasScript = answers('script', '--version').includes('util-linux')

/** Whether a shell is here; its tests are skipped, and that is said, where it is not. */
function isHere(shell: string): boolean {
  const is = answers(shell, '--version') !== ''
  if (!is) console.warn(`no ${shell} here: its completion is not tested`)
  return is
}

/** typed → what the Tab key makes of it */
const completed = [
  ['lcclf cl', 'lcclf classify '],
  ['lcclf model im', 'lcclf model import '],
  ['lcclf classify --watch-q', 'lcclf classify --watch-quality '],
  ['lcclf classify --engine fo', 'lcclf classify --engine forest '],
  ['lcclf classify --engine=on', 'lcclf classify --engine=onnx '],
  ['lcclf classify nig', 'lcclf classify night.parquet '],
  ['lcclf classify x -o nig', 'lcclf classify x -o night.parquet '],
  ['lcclf help exi', 'lcclf help exit-codes '],
  ['lcclf help model im', 'lcclf help model import '],
  ['lcclf completion z', 'lcclf completion zsh '],
] as const

const marker = 'here it is: '

/** Types into an interactive shell, each line with Tab; answers what the shell then had on its line. */
async function typed(shell: string, setup: string, lines: readonly string[]): Promise<string[]> {
  const child = spawn('script', ['-qec', shell, '/dev/null'], {
    cwd: folder,
    env: { ...process.env, TERM: 'dumb', PS1: '', HISTFILE: '' },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()))
  const until = async (pattern: RegExp): Promise<string> => {
    for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((go) => setTimeout(go, 10))) {
      const found = pattern.exec(shown)
      if (found) return found[1]!
    }
    throw new Error(`${shell} did not answer ${pattern.source}: ${JSON.stringify(shown.slice(-500))}`)
  }
  try {
    // the shell says in pieces that it is ready, so that the echo of the command does not
    child.stdin.write(`${setup}\nlcclf() { echo "${marker}$# words: $*"; }; echo rea""dy\n`)
    await until(/(ready)/)
    const found: string[] = []
    for (const [i, line] of lines.entries()) {
      child.stdin.write(`${line}\t`)
      // the completed line is run, by the function above: what it got are words, not a picture of them
      child.stdin.write(`end${i}\n`)
      found.push(await until(new RegExp(`${marker}(\\d+ words: .*end${i})`)))
    }
    return found
  } finally {
    child.stdin.end('\u0003exit\n')
    child.kill()
  }
}

describe('lcclf completion', () => {
  beforeAll(async () => {
    writeFileSync(join(folder, 'night.parquet'), '')
    for (const shell of ['bash', 'zsh', 'fish']) {
      writeFileSync(join(folder, `_${shell}`), (await lcclf(['completion', shell])).stdout)
    }
  })

  it
    .skipIf(!hasScript || !isHere('bash'))
    .each([
      ['bash', 'bash --norc -i', 'source _bash'],
      ...(isHere('zsh') ? [['zsh', 'zsh -f -i', 'autoload -U compinit; compinit -u -D; source _zsh']] : []),
    ])('completes commands, flags, values and paths in %s', async (_, shell, setup) => {
    const found = await typed(
      shell!,
      setup!,
      completed.map(([line]) => line),
    )
    const wanted = completed.map(([, line], i) => {
      const words = `${line}end${i}`.split(' ').slice(1)
      return `${words.length} words: ${words.join(' ')}`
    })
    expect(found).toEqual(wanted)
  })

  it.skipIf(!isHere('fish'))('completes the same in fish', () => {
    const asked = completed.map(([line]) => `complete -C '${line}'`).join('; echo; ')
    const found = answers('fish', '--no-config', '-c', `source _fish; ${asked}`)
    const last = completed.map(([, line]) => line.trim().split(' ').at(-1)!)
    expect(
      found
        .trim()
        .split('\n\n')
        .map((lines) => lines.split('\t')[0]),
    ).toEqual(last)
  })

  it('refuses another shell, and names those it knows', async () => {
    const { code, stderr } = await lcclf(['completion', 'csh'])
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('bash, zsh or fish') as string })
  })
})
