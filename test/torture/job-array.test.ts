// A job array as a scheduler runs it, by the script in deploy/: tasks that are killed and run again leave every row once.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { crc32, gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Receipt } from '../../src/jobs/classify/receipt.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { commandEnvironment, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const script = join(root, 'deploy/slurm/classify.sbatch')
const work = temporaryFolder()
const shards = 8
const copies = 24
const [header, ...rows] = gunzipSync(readFileSync(join(samples, 'ztf-300.csv.gz')))
  .toString()
  .trimEnd()
  .split('\n')
/** the sample's rows, each time under other ids */
const renamed = (copy: number): string[] => rows.map((row) => row.replace('ZTF', `ZTF${copy}x`))

/** Names of files of which every shard has as many. */
function evenNames(): string[] {
  const taken = new Map<number, number>()
  const names: string[] = []
  for (let i = 0; names.length < copies; i++) {
    const name = `night-${i}.csv`
    const shard = crc32(name) % shards
    const had = taken.get(shard) ?? 0
    if (had === copies / shards) continue
    taken.set(shard, had + 1)
    names.push(name)
  }
  return names
}

/** srun and lcclf, as the script calls them: srun's own flags are left out, and the process stays the same. */
function putOnPath(): string {
  const bin = join(work, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'srun'), '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n')
  writeFileSync(join(bin, 'lcclf'), `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'bin/run.js')}' "$@"\n`)
  for (const name of ['srun', 'lcclf']) chmodSync(join(bin, name), 0o755)
  return `${bin}:${process.env['PATH']}`
}

let path: string

beforeAll(async () => {
  path = putOnPath()
  mkdirSync(join(work, 'nights'))
  for (const [copy, name] of evenNames().entries()) {
    writeFileSync(join(work, 'nights', name), `${[header, ...renamed(copy)].join('\n')}\n`)
  }
  writeFileSync(join(work, 'big.csv'), `${[header, ...[1, 2, 3, 4].flatMap(renamed)].join('\n')}\n`)
  const packing = ['model', 'export', join(samples, 'model'), '--format', 'tar.gz', '--out', join(work, 'm.tar.gz')]
  expect((await hostedLcclf(packing)).code).toBe(0)
})

function environment(task: number, tasks: number): Record<string, string> {
  const array = { ID: task, MIN: 1, MAX: tasks, STEP: 1, COUNT: tasks }
  const variables = Object.entries(array).map(([name, value]) => [`SLURM_ARRAY_TASK_${name}`, String(value)])
  const home = join(work, 'home')
  return commandEnvironment({
    ...Object.fromEntries(variables),
    SLURM_CPUS_PER_TASK: '1',
    PATH: path,
    LCCLF_HOME: home,
  })
}

/** One task of the array; what it says is kept. */
function startTask(task: number) {
  const env = environment(task, shards)
  const child = spawn('bash', [script, 'nights/', 'out/', 'm.tar.gz'], {
    cwd: work,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, ended, stderr: () => Buffer.concat(said).toString() }
}

/** Kills a process once a file that it has not finished stands in the folder. */
async function killInTheMiddle(child: ChildProcess, folder: string): Promise<void> {
  const isWriting = (): boolean => readdirSync(folder).some((name) => name.includes(`.${child.pid}-`))
  while (child.exitCode === null && !isWriting()) await sleep(5)
  child.kill('SIGKILL')
}

const namesIn = (folder: string): string[] => readdirSync(join(work, folder)).sort()

describe('a job array', () => {
  it(
    'of which three tasks are killed and run again leaves the bytes of one whole run',
    { tags: ['long'] },
    async () => {
      mkdirSync(join(work, 'out'))
      const first = Array.from({ length: shards }, (_, i) => startTask(i + 1))
      await Promise.all([1, 4, 6].map((victim) => killInTheMiddle(first[victim]!.child, join(work, 'out'))))
      const codes = await Promise.all(first.map(({ ended }) => ended))
      expect(codes.map((code, i) => [i, code])).toEqual(codes.map((_, i) => [i, [1, 4, 6].includes(i) ? null : 0]))
      expect(first[0]!.stderr()).toContain(`shard 1/${shards}, from SLURM_ARRAY_TASK_ID`)
      const before = namesIn('out').filter((name) => name.endsWith('.parquet')).length
      expect(before).toBeLessThan(copies)
      // one that was done runs again too, as after a preemption that came late
      const again = [1, 4, 6, 7].map((task) => startTask(task + 1))
      expect(await Promise.all(again.map(({ ended }) => ended))).toEqual([0, 0, 0, 0])
      expect(again[3]!.stderr()).toContain('3 of 3 inputs are done already')
      const whole = await hostedLcclf(['classify', 'nights/', '--to', 'whole/', '--model', 'm.tar.gz', '--json'], {
        cwd: work,
        env: { LCCLF_HOME: join(work, 'home') },
      })
      const { inputs } = JSON.parse(whole.stdout) as Receipt
      expect(inputs.map(({ classified }) => classified)).toEqual(Array(copies).fill(rows.length))
      expect(namesIn('out')).toEqual(namesIn('whole'))
      for (const name of namesIn('whole').filter((file) => file.endsWith('.parquet'))) {
        const [parts, one] = ['out', 'whole'].map((folder) => readFileSync(join(work, folder, name)))
        expect([name, parts!.equals(one!)]).toEqual([name, true])
      }
    },
  )

  it('over the rows of one big file, every task run twice and one killed, has every row once', async () => {
    const args = (to: string) => ['classify', 'big.csv', '--to', to, '--model', 'm.tar.gz', '--overwrite']
    const task = (index: number) => {
      const words = [...args(`part-${index}.csv`), '--shard', 'auto', '--threads', '1']
      const env = environment(index, 3)
      const child = spawn(join(work, 'bin/lcclf'), words, { cwd: work, env, stdio: 'ignore' })
      return { child, ended: new Promise<number | null>((resolve) => child.on('close', resolve)) }
    }
    const tasks = [1, 2, 3].map(task)
    await killInTheMiddle(tasks[1]!.child, work)
    expect(await Promise.all(tasks.map(({ ended }) => ended))).toEqual([0, null, 0])
    expect(namesIn('.').filter((name) => name.startsWith('part-'))).toEqual(['part-1.csv', 'part-3.csv'])
    expect(await Promise.all([1, 2, 3].map((index) => task(index).ended))).toEqual([0, 0, 0])
    const one = await hostedLcclf(args('one.csv'), { cwd: work, env: { LCCLF_HOME: join(work, 'home') } })
    expect(one.code).toBe(0)
    const linesOf = (name: string): string[] => readFileSync(join(work, name), 'utf8').trimEnd().split('\n').slice(1)
    const merged = [1, 2, 3].flatMap((index) => linesOf(`part-${index}.csv`))
    expect(merged).toHaveLength(4 * rows.length)
    expect(merged.sort()).toEqual(linesOf('one.csv').sort())
  })

  it('in Kubernetes is told as many parts as it has completions, and gives up only what would fail again', () => {
    const manifest = readFileSync(join(root, 'deploy/kubernetes/indexed-job.yaml'), 'utf8')
    const [, completions] = /^ {2}completions: (\d+)$/m.exec(manifest) ?? []
    const [, told] = /name: LCCLF_SHARD_COUNT\n +value: '(\d+)'/.exec(manifest) ?? []
    expect([told, /values: \[(.*)\]/.exec(manifest)?.[1]]).toEqual([completions, '2, 3, 4, 6'])
  })
})
