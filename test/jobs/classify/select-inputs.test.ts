import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { expandInputs } from '../../../src/connectors/inputs.ts'
import { planClassify, type ClassifyFlags } from '../../../src/jobs/classify/plan.ts'
import { selectInputs } from '../../../src/jobs/classify/select-inputs.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const flags: Omit<ClassifyFlags, 'inputs' | 'to'> = {
  idColumn: 'oid',
  candidColumn: 'candid',
  rename: [],
  duplicates: 'all',
  threads: 0,
  batchSize: 1000,
  resume: false,
  commits: false,
  overwrite: true,
  isDryRun: false,
  isQuiet: false,
  showsProgress: false,
  json: false,
}

it('never replaces an input by its result, --overwrite or not', async () => {
  const folder = temporaryFolder()
  const night = join(folder, 'night.csv')
  writeFileSync(night, 'oid\n')
  const select = async (to: string) => {
    const plan = planClassify({ ...flags, inputs: [night], to: [to], toFormat: 'csv' }, false, {})
    const options = { fromFormat: undefined, outputFolders: [folder], environment: {}, window: {}, commits: false }
    return selectInputs(plan, await expandInputs([night], options), '')
  }
  for (const to of [night, `${folder}/`, join(folder, '.', 'night.csv')]) {
    await expect(select(to)).rejects.toThrow('night.csv is an input, and would be replaced by its result')
  }
  expect((await select(join(folder, 'out/'))).inputs).toHaveLength(1)
  expect((await select(join(folder, 'other.csv'))).inputs).toHaveLength(1)
})
