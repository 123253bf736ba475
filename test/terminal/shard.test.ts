// Which part of a job array a process has: each scheduler's variables, and what is refused because it is not certain.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../src/errors.ts'
import { shardOf } from '../../src/terminal/shard.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { lcclf, samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

type Environment = Readonly<Record<string, string>>

const slurm = (id: number, min: number, max: number, step: number, count: number): Environment => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_MIN: String(min),
  SLURM_ARRAY_TASK_MAX: String(max),
  SLURM_ARRAY_TASK_STEP: String(step),
  SLURM_ARRAY_TASK_COUNT: String(count),
})
const lsf = (index: number, end: number, step = 1): Environment => ({
  LSB_JOBINDEX: String(index),
  LSB_JOBINDEX_END: String(end),
  LSB_JOBINDEX_STEP: String(step),
})
const gridEngine = (id: string, first: string, last: string, step: string): Environment => ({
  SGE_TASK_ID: id,
  SGE_TASK_FIRST: first,
  SGE_TASK_LAST: last,
  SGE_TASK_STEPSIZE: step,
})
const count = (parts: number): Environment => ({ LCCLF_SHARD_COUNT: String(parts) })
/** what LSF and Grid Engine set where there is no array */
const noArray = { ...lsf(0, 0, 0), ...gridEngine('undefined', 'undefined', 'undefined', 'undefined') }

describe('--shard auto', () => {
  it.each<[what: string, environment: Environment, part: string, from: string]>([
    ['Slurm from 1', slurm(3, 1, 16, 1, 16), '3/16', 'SLURM_ARRAY_TASK_ID'],
    ['Slurm from 0', slurm(0, 0, 31, 1, 32), '1/32', 'SLURM_ARRAY_TASK_ID'],
    ['Slurm with a step', slurm(5, 1, 7, 2, 4), '3/4', 'SLURM_ARRAY_TASK_ID'],
    ['Slurm, one task', slurm(7, 7, 7, 1, 1), '1/1', 'SLURM_ARRAY_TASK_ID'],
    ['Kubernetes', { JOB_COMPLETION_INDEX: '0', ...count(8) }, '1/8', 'JOB_COMPLETION_INDEX and LCCLF_SHARD_COUNT'],
    [
      'AWS Batch',
      { AWS_BATCH_JOB_ARRAY_INDEX: '9', AWS_BATCH_JOB_ARRAY_SIZE: '10' },
      '10/10',
      'AWS_BATCH_JOB_ARRAY_INDEX',
    ],
    ['PBS Pro', { PBS_ARRAY_INDEX: '4', ...count(4) }, '4/4', 'PBS_ARRAY_INDEX and LCCLF_SHARD_COUNT'],
    ['Torque', { PBS_ARRAYID: '1', ...count(4) }, '1/4', 'PBS_ARRAYID and LCCLF_SHARD_COUNT'],
    ['LSF', lsf(2, 100), '2/100', 'LSB_JOBINDEX'],
    ['LSF with a step', lsf(9, 10, 2), '5/5', 'LSB_JOBINDEX'],
    ['Grid Engine', gridEngine('9', '1', '10', '4'), '3/3', 'SGE_TASK_ID'],
    [
      'Grid Engine in a job without an array under LSF',
      { ...noArray, ...slurm(2, 1, 2, 1, 2) },
      '2/2',
      'SLURM_ARRAY_TASK_ID',
    ],
    ['a count that is given and agrees', { ...slurm(2, 1, 4, 1, 4), ...count(4) }, '2/4', 'SLURM_ARRAY_TASK_ID'],
    [
      'two that agree',
      { ...slurm(2, 1, 4, 1, 4), AWS_BATCH_JOB_ARRAY_INDEX: '1', AWS_BATCH_JOB_ARRAY_SIZE: '4' },
      '2/4',
      'SLURM_ARRAY_TASK_ID',
    ],
  ])('knows %s', (_, environment, part, from) => {
    const shard = shardOf('auto', environment)
    expect([`${shard.index + 1}/${shard.count}`, shard.from]).toEqual([part, from])
  })

  it('gives every task of an array another part, and leaves none out', () => {
    const ids = [10, 13, 16, 19, 22]
    const parts = ids.map((id) => shardOf('auto', slurm(id, 10, 22, 3, 5)))
    expect(parts.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4])
    expect(parts.every(({ count: parts }) => parts === 5)).toBe(true)
  })

  it.each<[what: string, environment: Environment, message: RegExp]>([
    ['no array', noArray, /not part of a job array/],
    ['a number of parts and no index', count(4), /not part of a job array/],
    [
      'Kubernetes without the number',
      { JOB_COMPLETION_INDEX: '0' },
      /JOB_COMPLETION_INDEX is set, but not LCCLF_SHARD_COUNT/,
    ],
    ['PBS without the number', { PBS_ARRAY_INDEX: '1' }, /PBS_ARRAY_INDEX is set, but not LCCLF_SHARD_COUNT/],
    [
      'Slurm without its first',
      { SLURM_ARRAY_TASK_ID: '1' },
      /SLURM_ARRAY_TASK_ID is set, but SLURM_ARRAY_TASK_MIN is not/,
    ],
    ['a list of Slurm', slurm(1, 1, 7, 1, 3), /a list, not a range \(SLURM_ARRAY_TASK_MIN=1, SLURM_ARRAY_TASK_MAX=7/],
    ['a list of Slurm that has the size of a range', slurm(3, 1, 7, 3, 3), /no part of 3 \(SLURM_ARRAY_TASK_ID=3/],
    ['PBS from 0', { PBS_ARRAY_INDEX: '0', ...count(4) }, /no part of 4 \(PBS_ARRAY_INDEX=0, LCCLF_SHARD_COUNT=4\)/],
    ['LSF in steps from 2', lsf(2, 10, 2), /no part of 5 \(LSB_JOBINDEX=2, LSB_JOBINDEX_END=10, LSB_JOBINDEX_STEP=2\)/],
    ['an index beyond the last', { JOB_COMPLETION_INDEX: '8', ...count(8) }, /no part of 8 \(JOB_COMPLETION_INDEX=8/],
    [
      'another number of parts',
      { ...slurm(3, 3, 5, 2, 2), ...count(16) },
      /LCCLF_SHARD_COUNT=16, but the array of Slurm has 2/,
    ],
    ['no part at all', { JOB_COMPLETION_INDEX: '0', ...count(0) }, /no part of 0/],
    [
      'an index that is no number',
      { AWS_BATCH_JOB_ARRAY_INDEX: '-1', AWS_BATCH_JOB_ARRAY_SIZE: '2' },
      /AWS_BATCH_JOB_ARRAY_INDEX=-1 is not a whole number/,
    ],
    [
      'two that differ',
      { ...slurm(2, 1, 4, 1, 4), JOB_COMPLETION_INDEX: '2', ...count(4) },
      /different parts \(SLURM_ARRAY_TASK_ID: 2\/4; JOB_COMPLETION_INDEX and LCCLF_SHARD_COUNT: 3\/4\)/,
    ],
  ])('refuses %s', (_, environment, message) => {
    expect(() => shardOf('auto', environment)).toThrow(UsageError)
    expect(() => shardOf('auto', environment)).toThrow(message)
  })

  it('says which part it took, and writes it into the receipt', async () => {
    const work = temporaryFolder()
    const receipt = join(work, 'r.json')
    const args = ['classify', join(samples, 'ztf-300.parquet'), '--shard', 'auto', '--to', join(work, 'x.csv')]
    const { code, stderr } = await lcclf([...args, '--receipt', receipt], { env: slurm(3, 1, 16, 1, 16) })
    expect([code, stderr]).toEqual([0, expect.stringContaining('shard 3/16, from SLURM_ARRAY_TASK_ID\n')])
    expect(JSON.parse(readFileSync(receipt, 'utf8'))).toMatchObject({ options: { shard: '3/16' } })
    const outside = await hostedLcclf(args)
    expect([outside.code, outside.stderr]).toEqual([
      2,
      expect.stringContaining('AWS_BATCH_JOB_ARRAY_INDEX (AWS Batch)'),
    ])
  })
})
