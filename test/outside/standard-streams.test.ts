// What becomes of a run whose stdout or stderr fails, command by command.
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Config } from '@oclif/core/config'
import { beforeAll, describe, expect, it } from 'vitest'
import { commandEnvironment, lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const parquet = join(samples, 'ztf-300.parquet')
const bundle = join(samples, 'model')
const labels = join(samples, 'ztf-300-labels.csv')
const letter = { reason: 'r', topic: 't', partition: 0, offset: '1', key: null, timestamp: '1', value: '' }
const full = 'no space left on the device while writing standard output'
let work: string

/** Runs a command with one of its streams on a device that is always full. */
function onFullDevice(stream: 'stdout' | 'stderr', args: readonly string[]) {
  const device = openSync('/dev/full', 'w')
  const env = commandEnvironment({ LCCLF_HOME: join(work, 'home') })
  const stdio = ['ignore', stream === 'stdout' ? device : 'pipe', stream === 'stderr' ? device : 'pipe'] as const
  const child = spawn(process.execPath, [join(root, 'bin/run.js'), ...args], { cwd: work, env, stdio: [...stdio] })
  closeSync(device)
  let text = ''
  for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return new Promise<{ code: number | null; text: string }>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text }))
  })
}

beforeAll(async () => {
  work = temporaryFolder()
  writeFileSync(join(work, 'dead.ndjson'), `${JSON.stringify(letter)}\n`)
  await lcclf(['classify', parquet, '--to', 'classified.parquet', '-q'], { cwd: work })
})

const printing: readonly (readonly [id: string, ...rest: string[]])[] = [
  ['--version'],
  ['--help'],
  ['classify', '--help'],
  ['help'],
  ['help', 'formats'],
  ['version', '--json'],
  ['completion', 'zsh'],
  ['classify', parquet],
  ['classify', parquet, '--to', '-', '--to-format', 'ndjson'],
  ['classify', parquet, '--to', '-', '--to-format', 'arrow'],
  ['classify', parquet, '--to', 'x.csv', '--json'],
  ['classify', parquet, '--dry-run'],
  ['classify', 'absent.parquet', '--to', 'y.csv', '--json'],
  ['classify', '--no-such-flag', '--json'],
  ['check', parquet],
  ['explain', parquet, '--oid', 'ZTF18aaaaaaa'],
  ['evaluate', 'classified.parquet', '--labels', labels],
  ['diff', 'classified.parquet', 'classified.parquet'],
  ['calibrate', 'classified.parquet', '--labels', labels, '-m', bundle, '--out', 'calibrated', '--json'],
  ['watch:show'],
  ['watch:show', '--json'],
  ['doctor'],
  ['model:list', '--json'],
  ['model:show', bundle],
  ['model:verify', bundle],
  ['model:export', bundle, '--format', 'tar.gz', '--out', 'x.tar.gz', '--json'],
  ['model:push', bundle, 'pushed/', '--json'],
  ['model:lock', bundle, '--json'],
  ['model:gc', '--json'],
  ['deadletter:show', 'dead.ndjson'],
  ['stream', '--dry-run', '--from', 'kafka://h/t?group=g', '--to', 'kafka://h/u', '-m', bundle],
]

/** They print by the same function, after talking to a service or making what the others do not; a worker waits to be asked. */
const afterOthers = ['db:check', 'db:init', 'db:upgrade', 'deadletter:requeue', 'model:import', 'model:pull']
const others = [...afterOthers, 'model:remove', 'watch:accept', 'worker']

describe.skipIf(process.platform !== 'linux')('a full device', { tags: ['long'] }, () => {
  it.each(printing.map((args) => [args.join(' ').replaceAll(root, ''), args] as const))(
    'behind stdout is one line and exit 5: %s',
    async (_, [id, ...rest]) => {
      const { code, text } = await onFullDevice('stdout', [...id.split(':'), ...rest])
      rmSync(join(work, 'lcclf.lock'), { force: true })
      expect(text.split(full)).toHaveLength(2)
      expect(text).not.toMatch(/^\s+at /m)
      expect(code).toBe(5)
    },
  )

  it('is tried with every command', async () => {
    const { commandIDs } = await Config.load(root)
    const tried = printing.map(([id]) => id).filter((id) => !id.startsWith('--'))
    expect([...new Set([...tried, ...others])].sort()).toEqual(commandIDs.toSorted())
  })

  it.each([
    [['classify', parquet, '--to', 'quiet.csv'], 0],
    [['check', parquet], 0],
    [['classify', 'absent.parquet'], 3],
    [['clasify'], 2],
  ] as const)('behind stderr changes nothing but that nobody is told: %j', async (args, expected) => {
    expect(await onFullDevice('stderr', args)).toMatchObject({ code: expected })
  })
})

it('a file that may not grow does not lose the end of a help page silently', async () => {
  const out = join(temporaryFolder(), 'help')
  const child = spawn('bash', ['-c', `ulimit -f 1; node ${join(root, 'bin/run.js')} classify --help > ${out}`])
  let text = ''
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const code = await new Promise((resolve) => child.on('close', resolve))
  expect(text).toContain('standard output grows beyond the largest file allowed here')
  expect(code).toBe(5)
})

it('nothing but the one way to stdout writes there', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  )
  const code = (name: string) => readFileSync(join(root, 'src', name), 'utf8').replace(/^ \*.*$/gm, '')
  const writers = files.filter((name) => /process\.stdout\.write|console\.log\(/.test(code(name)))
  expect(writers).toEqual([])
})
