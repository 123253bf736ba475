import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { expandInputs } from '../../../src/connectors/inputs.ts'
import type { Answering } from '../../../src/jobs/classify/standing.ts'
import { planClassify } from '../../../src/jobs/classify/plan.ts'
import { selectTasks } from '../../../src/jobs/classify/tasks.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const identity = { name: 'n', version: '1', classifierVersion: 'n_1', sha256: '' }
const answering: Answering = { identity, isDemonstration: false }

it('never replaces an input by its result, --overwrite or not', async () => {
  const folder = temporaryFolder()
  const night = join(folder, 'night.csv')
  writeFileSync(night, 'oid\n')
  const select = async (to: string) => {
    const plan = planClassify({ inputs: [night], to: [to], toFormat: 'csv', overwrite: true }, false, {})
    return selectTasks(plan, await expandInputs(plan.inputs, { ...plan.search, environment: {} }), answering)
  }
  for (const to of [night, `${folder}/`, join(folder, '.', 'night.csv')]) {
    await expect(select(to)).rejects.toThrow('night.csv is an input, and would be replaced by its result')
  }
  expect((await select(join(folder, 'out/'))).tasks).toHaveLength(1)
  expect((await select(join(folder, 'other.csv'))).tasks).toHaveLength(1)
})
