// What the import makes of folders and files, and what it refuses.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { ModelError, UsageError } from '../../src/errors.ts'
import { importModel, type PickleImportOptions } from '../../src/model/import-model.ts'
import type { ImportProgress } from '../../src/model/bundle/write-bundle.ts'
import { alerceTaxonomy, taxonomyOf } from '../../src/model/bundle/manifest.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { readFixture, smallFeatures, unpackFixture, unpackSmallForest } from '../support/fixture-folders.ts'
import { forest, list, pickleOf, stump, text } from './sklearn/pickle/assemble.ts'

const identity = { name: 'hierarchical_random_forest', version: '1.0.0' }

function options(source: string, more: Partial<PickleImportOptions> = {}): PickleImportOptions {
  return { source, ...identity, out: join(temporaryFolder(), 'bundle'), ...more }
}

function filesOf(folder: string): Record<string, Buffer> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]))
}

/** Swaps two files of a folder. */
function swap(folder: string, a: string, b: string): void {
  renameSync(join(folder, a), join(folder, 'aside'))
  renameSync(join(folder, b), join(folder, a))
  renameSync(join(folder, 'aside'), join(folder, b))
}

describe('a hierarchy', () => {
  it('has the survey’s taxonomy, the top first and the branches in output order', async () => {
    const source = unpackFixture('sklearn-0.22.2')
    const { manifest } = await importModel(options(source))
    expect(manifest).toMatchObject({ formatVersion: 1, kind: 'forest', ...identity, classifierName: 'lc_classifier' })
    expect(manifest.taxonomy).toEqual(alerceTaxonomy)
    expect(manifest.levels.map(({ name, branch, trees }) => [name, branch, trees])).toEqual([
      ['top', null, 12],
      ['stochastic', 'Stochastic', 12],
      ['periodic', 'Periodic', 12],
      ['transient', 'Transient', 12],
    ])
    expect(manifest.features).toHaveLength(152)
    expect(manifest.origin.map(({ file }) => file)).toEqual([
      'features_RF_model.pkl',
      'hierarchical_level_RF_model.pkl',
      'stochastic_level_RF_model.pkl',
      'periodic_level_RF_model.pkl',
      'transient_level_RF_model.pkl',
    ])
    const { levels } = taxonomyOf(manifest)
    expect(levels.map(({ classifierName, prefix }) => [classifierName, prefix])).toEqual([
      ['lc_classifier', ''],
      ['lc_classifier_top', 'top'],
      ['lc_classifier_stochastic', 'stochastic'],
      ['lc_classifier_periodic', 'periodic'],
      ['lc_classifier_transient', 'transient'],
    ])
    expect(levels[0]!.classes.join()).toBe(
      'AGN,Blazar,CV/Nova,QSO,YSO,CEP,DSCT,E,LPV,Periodic-Other,RRL,SLSN,SNII,SNIa,SNIbc',
    )
    expect(levels[1]!.classes).toEqual(['Periodic', 'Stochastic', 'Transient'])
  })

  it('gives the same bytes when it is imported again', { tags: ['long'] }, async () => {
    const source = unpackFixture('sklearn-1.5.2')
    const first = await importModel(options(source))
    const second = await importModel(options(source))
    expect(first.sha256).toBe(second.sha256)
    expect(filesOf(first.directory)).toEqual(filesOf(second.directory))
    expect(Object.keys(filesOf(first.directory))).toEqual([
      'covers.arrow',
      'forest.arrow',
      'golden.arrow',
      'leaves.arrow',
      'manifest.json',
    ])
  })

  it('tells its progress by file', async () => {
    const events: ImportProgress[] = []
    await importModel(options(unpackFixture('sklearn-1.5.2'), { onProgress: (event) => events.push(event) }))
    expect(events.map(({ step }) => step)).toContain('read top_level_BRF_model.pkl')
    expect(events.every(({ done, total }) => done <= total)).toBe(true)
  })

  it('with swapped files is refused, and each file is named for what it holds', async () => {
    const source = unpackFixture('sklearn-1.0.2')
    swap(source, 'stochastic_level_BRF_model.pkl', 'transient_level_BRF_model.pkl')
    const refused = importModel(options(source))
    await expect(refused).rejects.toThrow(ModelError)
    await expect(refused).rejects.toThrow(
      'stochastic_level_BRF_model.pkl holds the forest of Transient (SLSN, SNII, SNIa, SNIbc); ' +
        'transient_level_BRF_model.pkl holds the forest of Stochastic (AGN, Blazar, CV/Nova, QSO, YSO)',
    )
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining('--accept-swapped') as string })
  })

  it('with swapped files is put right when asked to, and answers the same', { tags: ['long'] }, async () => {
    const source = unpackFixture('sklearn-1.0.2')
    const golden = { goldenDir: source }
    const right = await importModel(options(source, golden))
    swap(source, 'stochastic_level_BRF_model.pkl', 'transient_level_BRF_model.pkl')
    swap(source, 'top_level_BRF_model.pkl', 'periodic_level_BRF_model.pkl')
    const swapped = await importModel(options(source, { ...golden, acceptSwapped: true }))
    expect(swapped.manifest.levels).toEqual(right.manifest.levels)
    expect(readFileSync(join(swapped.directory, 'forest.arrow'))).toEqual(
      readFileSync(join(right.directory, 'forest.arrow')),
    )
    expect(swapped.warnings.join()).toContain('top_level_BRF_model.pkl holds the forest of Periodic')
  })

  it('with one forest twice is refused even then', async () => {
    const source = unpackFixture('sklearn-1.0.2')
    copyFileSync(join(source, 'top_level_BRF_model.pkl'), join(source, 'stochastic_level_BRF_model.pkl'))
    await expect(importModel(options(source, { acceptSwapped: true }))).rejects.toThrow(
      'no file holds the forest of stochastic',
    )
  })

  it('with other classes than the taxonomy’s is refused', async () => {
    const source = unpackFixture('sklearn-1.5.2')
    const taxonomy = { ...alerceTaxonomy, Transient: ['SLSN', 'SNII', 'SNIa', 'TDE'] } as Record<string, string[]>
    await expect(importModel(options(source, { taxonomy }))).rejects.toThrow('it lacks TDE and has SNIbc instead')
  })

  it('without one of its files is refused, and the file is named', async () => {
    const source = unpackFixture('sklearn-1.5.2')
    rmSync(join(source, 'periodic_level_BRF_model.pkl'))
    await expect(importModel(options(source))).rejects.toThrow(
      'lacks periodic_level_RF_model.pkl or periodic_level_BRF_model.pkl',
    )
  })

  it('with the files of two models in one folder is refused', async () => {
    const source = unpackFixture('sklearn-1.5.2')
    copyFileSync(join(source, 'top_level_BRF_model.pkl'), join(source, 'hierarchical_level_RF_model.pkl'))
    await expect(importModel(options(source))).rejects.toThrow('are the same level of two models')
  })

  it('with branches of its own is imported by its taxonomy, in the taxonomy’s order', async () => {
    const source = unpackFixture('other-hierarchy')
    writeFileSync(join(source, 'golden_input.csv'), readFixture('pickles/golden_input.csv'))
    const taxonomy = { Junk: ['bogus'], Galactic: ['RRab', 'Mira', 'EW'], Extragalactic: ['Quasar', 'Ia'] }
    const { manifest } = await importModel(options(source, { taxonomy, goldenDir: source }))
    expect(manifest.golden.source).toBe('scikit-learn 1.6.1')
    expect(taxonomyOf(manifest).levels.map(({ branch, classes }) => [branch, ...classes])).toEqual([
      [null, 'bogus', 'RRab', 'Mira', 'EW', 'Quasar', 'Ia'],
      [null, 'Extragalactic', 'Galactic', 'Junk'],
      ['Junk', 'bogus'],
      ['Galactic', 'EW', 'Mira', 'RRab'],
      ['Extragalactic', 'Ia', 'Quasar'],
    ])
  })

  it.each([
    ['no branches', {}],
    ['a branch without classes', { A: [] }],
    ['a class in two branches', { A: ['x'], B: ['x'] }],
    ['a branch called top', { Top: ['x'], B: ['y'] }],
    ['branches that differ in case', { A: ['x'], a: ['y'] }],
    ['a branch with a slash', { 'a/b': ['x'] }],
  ])('is not imported by a taxonomy with %s', async (_, taxonomy) => {
    await expect(importModel(options(unpackFixture('sklearn-1.5.2'), { taxonomy }))).rejects.toThrow(UsageError)
  })
})

describe('a single forest', () => {
  it('alone in its folder is a model of one level', async () => {
    const { pickle } = unpackSmallForest('1.6', 'balanced-protocol5')
    const folder = temporaryFolder()
    copyFileSync(pickle, join(folder, 'whatever.pkl'))
    const { manifest } = await importModel(options(folder, { features: smallFeatures }))
    expect(manifest).toMatchObject({ taxonomy: null, levels: [{ name: 'flat', branch: null, trees: 3 }] })
    expect(taxonomyOf(manifest).levels).toEqual([
      { classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['SLSN', 'SNII', 'SNIa', 'SNIbc'] },
    ])
  })

  it('finds its features beside it, else in itself, and the list given wins', async () => {
    const { pickle, folder } = unpackSmallForest('1.7', 'named-features')
    const own = await importModel(options(pickle))
    expect(own.manifest.features).toEqual(smallFeatures)
    const names = smallFeatures.map((name) => text(`${name}!`))
    writeFileSync(join(folder, 'features_RF_model.pkl'), pickleOf(list(...names)))
    await expect(importModel(options(pickle))).rejects.toThrow('feature 0 was "Amplitude_1" in training')
    const given = await importModel(options(pickle, { features: smallFeatures.map((name) => `${name}?`) }))
    expect(given.manifest.features[0]).toBe('Amplitude_1?')
    expect(given.warnings.join()).toContain('was "Amplitude_1" in training')
    expect(given.warnings.join()).toContain('n_estimators says 2, the forest has 1 trees')
  })

  it('without names is refused, with the flag that helps', async () => {
    const { pickle } = unpackSmallForest('1.6', 'balanced-protocol5')
    await expect(importModel(options(pickle))).rejects.toMatchObject({
      exitCode: 4,
      hint: expect.stringContaining('--features FILE') as string,
    })
  })

  it('with too few names is refused', async () => {
    const { pickle } = unpackSmallForest('1.6', 'balanced-protocol5')
    await expect(importModel(options(pickle, { features: ['a', 'b'] }))).rejects.toThrow(
      'the forest has 12 features, the list given has 2 names',
    )
  })
})

describe('a file that is no model', () => {
  const folder = temporaryFolder()
  const pickle = pickleOf(forest({ estimators: [stump] }))
  it.each([
    ['twice', gzipSync(deflateSync(pickle)), 'is compressed twice'],
    ['cut', gzipSync(pickle).subarray(0, 99), 'is compressed with gzip, and damaged or cut off'],
    ['lzma', Buffer.of(0x5d, 0, 0, 0x80, 0, 0xff), 'is compressed with LZMA'],
    ['zstd', Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0), 'is compressed with Zstandard'],
    ['hdf5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1'), 'is an HDF5 file'],
    ['binf', Buffer.from('binf\0\0'), 'is a model in the binary form that XGBoost no longer reads'],
    ['zip', Buffer.from('PK\x03\x04…'), 'is a zip archive'],
    ['html', Buffer.from('<!DOCTYPE html><title>404</title>'), 'is a web page'],
    ['lfs', Buffer.from('version https://git-lfs.github.com/spec/v1\n'), 'is a Git LFS pointer'],
    ['nothing', Buffer.of(), 'is empty'],
    ['text', Buffer.from('# names\n'), 'not a pickle'],
  ])('%s: says what it is', async (name, bytes, message) => {
    const path = join(folder, `${name}.pkl`)
    writeFileSync(path, bytes)
    await expect(importModel(options(path, { features: ['a', 'b'] }))).rejects.toThrow(message)
  })

  it('nor there at all', async () => {
    await expect(importModel(options(join(folder, 'absent')))).rejects.toThrow(
      /absent: there is no such file or folder$/,
    )
  })
})

describe('the place of the bundle', () => {
  const source = join(temporaryFolder(), 'forest.pkl')
  writeFileSync(source, pickleOf(forest()))
  const features = ['a', 'b']

  it('must be free, or may be overwritten if it is a bundle', async () => {
    const out = join(temporaryFolder(), 'deep', 'down', 'bundle')
    await importModel(options(source, { features, out }))
    await expect(importModel(options(source, { features, out }))).rejects.toThrow(UsageError)
    const again = await importModel(options(source, { features, out, overwrite: true, version: '2' }))
    expect(again.manifest.version).toBe('2')
    expect(readdirSync(join(out, '..'))).toEqual(['bundle'])
  })

  it('is never a folder of other things, nor a file', async () => {
    const out = temporaryFolder()
    writeFileSync(join(out, 'thesis.tex'), 'years of work')
    await expect(importModel(options(source, { features, out, overwrite: true }))).rejects.toThrow(
      'not a bundle; refusing to overwrite it',
    )
    await expect(
      importModel(options(source, { features, out: join(out, 'thesis.tex'), overwrite: true })),
    ).rejects.toThrow(UsageError)
    expect(existsSync(join(out, 'thesis.tex'))).toBe(true)
  })

  it('stays as it was when the import fails', async () => {
    const parent = temporaryFolder()
    const broken = join(parent, 'broken.pkl')
    mkdirSync(join(parent, 'models'))
    writeFileSync(broken, readFileSync(source).subarray(0, 200))
    const out = join(parent, 'models', 'bundle')
    await expect(importModel(options(broken, { features, out }))).rejects.toThrow(ModelError)
    expect(readdirSync(join(parent, 'models'))).toEqual([])
  })

  it('bears a name and a version that can be folders', async () => {
    await expect(importModel(options(source, { features, name: '../up' }))).rejects.toThrow(UsageError)
    await expect(importModel(options(source, { features, version: '1@2' }))).rejects.toThrow(UsageError)
  })
})
