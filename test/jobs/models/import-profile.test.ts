import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { alercePreprocessing } from '../../../src/pipeline/preprocess.ts'
import { profileMaker } from '../../../src/jobs/models/import.ts'
import { DataError } from '../../../src/errors.ts'
import type { ProfiledImport } from '../../../src/model/bundle/input-profile.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const progress = { onRow: () => undefined, onWarning: () => undefined }
const folder = temporaryFolder()

/** A model that cannot answer yet: it is not asked for predictions. */
const model: ProfiledImport = {
  manifest: {
    formatVersion: 1,
    kind: 'onnx',
    name: 'm',
    version: '1',
    classifierName: 'lc_classifier',
    taxonomy: null,
    levels: [{ name: 'flat', branch: null, classes: ['AGN', 'QSO'], trees: 0, nodes: 0 }],
    features: ['g-r_max', 'Period_fit'],
    preprocessing: alercePreprocessing,
    trainedBy: { library: 'none', version: null },
    golden: { rows: 0, source: 'none' },
    origin: [],
  },
  golden: { rowCount: 0, columns: [], expected: [] } as unknown as ProfiledImport['golden'],
  isGoldenGiven: false,
}

function request(name: string, changes: { rename?: (readonly [string, string])[]; renameMap?: string } = {}) {
  return { profile: join(folder, name), renameMap: undefined, ...changes }
}

describe('the file of --profile', () => {
  it('is opened before the model is read, and named by its flag', async () => {
    const absent = profileMaker(request('nosuch.parquet'), progress)
    await expect(absent).rejects.toThrow(/^--profile .*nosuch\.parquet: there is no such file/)
    await expect(absent).rejects.toBeInstanceOf(DataError)
    writeFileSync(join(folder, 'broken.parquet'), 'no columns here')
    await expect(profileMaker(request('broken.parquet'), progress)).rejects.toThrow(/^--profile .*not a Parquet file/)
    writeFileSync(join(folder, 'noids.csv'), 'id,Period_fit\na,1\n')
    await expect(profileMaker(request('noids.csv'), progress)).rejects.toThrow(/^--profile .*lacks .*oid/)
  })

  it('may have the names of another year', async () => {
    writeFileSync(join(folder, 'modern.csv'), 'oid,g_r_max_12,PPE\na,1,2\nb,3,4\n')
    const plain = await profileMaker(request('modern.csv'), progress)
    await expect(plain(model)).rejects.toMatchObject({
      message: expect.stringMatching(/^--profile .*lacks 2 columns/) as string,
      hint: expect.stringContaining('--rename-map alerce-2024') as string,
    })
    const changes = { rename: [['PPE', 'Period_fit'] as const], renameMap: 'alerce-2024' }
    const renamed = await profileMaker(request('modern.csv', changes), progress)
    const profile = await renamed(model)
    expect(profile?.features.map(({ name, values }) => [name, values?.maximum])).toEqual([
      ['g-r_max', 3],
      ['Period_fit', 4],
    ])
  })
})
