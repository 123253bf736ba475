// MODEL_PATH: a bundle, a pickle of this machine, one elsewhere.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { differences, modelOfStep } from '../../../src/jobs/stream/step-model.ts'
import type { StepModel } from '../../../src/jobs/stream/step-settings.ts'
import { ModelError } from '../../../src/errors.ts'
import { modelStore } from '../../../src/model/store/model-reference.ts'
import { interruptsOf } from '../../../src/terminal/interrupt.ts'
import { readFixture } from '../../support/fixture-folders.ts'
import { startHttpModels } from '../../support/http-models.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const work = temporaryFolder()
const file = 'hierarchical_random_forest_model.pkl'
const bytes = readFixture(`today/bhrf-2.1.0/${file}.gz`)
const here = join(work, file)
const server = await startHttpModels()
const settings = { path: here, name: 'lc_classifier_BHRF_forced_phot', version: '2.1.0' }

let said: string[] = []
const find = (asked: Partial<StepModel> = {}, mayPull = true) => {
  said = []
  const progress = { say: (line: string) => void said.push(line), update: () => undefined, stop: () => undefined }
  return modelOfStep({ ...settings, ...asked }, { interrupts: interruptsOf(undefined), progress, mayPull })
}
const manifestOf = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Record<string, unknown>

beforeAll(() => {
  vi.stubEnv('LCCLF_HOME', join(work, 'home'))
  writeFileSync(here, bytes)
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await server.close()
})

describe('MODEL_PATH', () => {
  it('is imported once, under the name and version of the settings, and then taken from the store', async () => {
    const first = await find()
    expect(first).toMatchObject({ directory: modelStore().place(settings.name, '2.1.0'), chosenBy: 'MODEL_PATH' })
    expect(said[0]).toBe('importing MODEL_PATH as lc_classifier_BHRF_forced_phot@2.1.0, once')
    expect(manifestOf(first!.directory)).toMatchObject({ classifierName: settings.name, version: '2.1.0' })
    expect(await find()).toEqual(first)
    expect(said).toEqual([])
    // a bundle's folder and a name in the store are used as they are
    expect(await find({ path: first!.directory, name: undefined })).toMatchObject({ directory: first!.directory })
    expect((await find({ path: `${settings.name}@2.1.0` }))!.directory).toBe(first!.directory)
  })

  it('is fetched from an address once, and not at all where that is forbidden', async () => {
    server.put(`/squidward/2.2.0/${file}`, bytes)
    const elsewhere = { path: `${server.url}squidward/2.2.0/${file}`, name: 'sq', version: '2.2.0' }
    const forbidden = await find(elsewhere, false).catch((error: unknown) => error)
    expect(forbidden).toBeInstanceOf(ModelError)
    expect((forbidden as ModelError).hint).toContain(
      `lcclf model pull ${server.url}squidward/2.2.0/ --name sq --version 2.2.0`,
    )
    const { directory } = (await find(elsewhere))!
    expect(manifestOf(directory)).toMatchObject({ name: 'sq', version: '2.2.0', classifierName: 'sq' })
    expect(await find(elsewhere, false)).toMatchObject({ directory })
  })

  it('that became another model is not answered by the old one', async () => {
    const other = join(work, 'other')
    mkdirSync(other)
    writeFileSync(join(other, file), Buffer.concat([bytes, Buffer.from('x')]))
    await expect(find({ path: join(other, file) })).rejects.toThrow('2.1.0 in the store was made of something else')
    await expect(find({ path: `${server.url}else/${file}` })).rejects.toThrow('was made of something else')
    const changed = Buffer.from(bytes)
    changed[changed.length - 2]! ^= 1
    writeFileSync(here, changed)
    await expect(find()).rejects.toThrow('was made of something else')
    writeFileSync(here, bytes)
    expect(await find()).toBeDefined()
  })

  it('needs a name and a version to be imported, and says which command does it', async () => {
    const error = (await find({ version: undefined }).catch((thrown: unknown) => thrown)) as ModelError
    expect([error.exitCode, error.message]).toEqual([4, expect.stringContaining('needs a name and a version')])
    expect(error.hint).toContain(`lcclf model import ${here} --name NAME --version VERSION`)
    await expect(find({ path: join(work, 'nothing.pkl') })).rejects.toThrow(ModelError)
    await expect(find({ path: 'https://me:secret@host/m.pkl?sig=secret' })).rejects.toThrow(
      /\*\*\*@host\/m.pkl\?\*\*\*: an/,
    )
    expect(await find({ path: undefined })).toBeUndefined()
  })
})

describe('what the settings say of the model', () => {
  const level = { classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['a'] }
  const model = { version: '1.1.13', classifierVersion: 'lc_classifier_1.1.13', taxonomy: { levels: [level] } }
  it('is told where the model is another', () => {
    expect(differences({ path: undefined, name: 'lc_classifier', version: 'lc_classifier_1.1.13' }, model)).toEqual([])
    expect(differences({ path: undefined, name: undefined, version: undefined }, model)).toEqual([])
    expect(differences({ path: undefined, name: 'x', version: '1.0.0' }, model)).toEqual([
      'results are called lc_classifier, after the model, and not x as the settings say',
      "results have version 1.1.13, the model's, and not 1.0.0 as the settings say",
    ])
  })
})
