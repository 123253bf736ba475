// The survey's model of 2025, ELAsTiCC's, and one forest in every container: equal to their libraries in every bit.
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ModelError, UsageError } from '../../../src/errors.ts'
import { taxonomyOf } from '../../../src/model/bundle/manifest.ts'
import { readManifest } from '../../../src/model/bundle/read-bundle.ts'
import { describeModel } from '../../../src/model/store/describe-model.ts'
import { importModel, type PickleImportOptions } from '../../../src/model/import-model.ts'
import { readFixture, unpackFixture } from '../../support/fixture-folders.ts'
import { compareWithTruth, packedFixture, readTruth } from '../../support/models-of-today.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { dict, forest, global, integer, list, newObject, pickleOf, text } from './pickle/assemble.ts'

function importFile(name: string, bytes: Buffer, more: Partial<PickleImportOptions> = {}) {
  const folder = temporaryFolder()
  const source = join(folder, name)
  writeFileSync(source, bytes)
  return importModel({ source, name: 'x', version: '1', out: join(folder, 'bundle'), ...more })
}

const bhrf = 'today/bhrf-2.1.0'
const readBhrf = () => readFixture(`${bhrf}/hierarchical_random_forest_model.pkl.gz`)
const bhrfFile = 'hierarchical_random_forest_model.pkl'

describe('the survey’s model of 2025', () => {
  it('answers as the original does, every level and the product in the order of list_of_classes', async () => {
    const { directory, manifest, warnings } = await importFile(bhrfFile, readBhrf())
    expect(warnings).toEqual([])
    expect(await compareWithTruth(directory, bhrf)).toEqual({ differing: [0, 0, 0, 0, 0], rejected: [], rows: 150 })
    const truth = readTruth(bhrf)
    expect(manifest.features).toEqual(truth.features)
    expect(manifest.productClasses).toEqual(truth['product']!.classes)
    expect(manifest.trainedBy).toEqual({ library: 'scikit-learn', version: '1.4.2' })
    expect(manifest.formatVersion).toBe(2)
  })

  it('has the survey’s names, and its rules for values', async () => {
    const { directory, manifest } = await importFile(bhrfFile, readBhrf())
    expect(taxonomyOf(manifest).levels.map(({ classifierName }) => classifierName)).toEqual([
      'lc_classifier_BHRF_forced_phot',
      'lc_classifier_BHRF_forced_phot_top',
      'lc_classifier_BHRF_forced_phot_transient',
      'lc_classifier_BHRF_forced_phot_stochastic',
      'lc_classifier_BHRF_forced_phot_periodic',
    ])
    const { manifest: read } = await readManifest(directory)
    expect(read.preprocessing).toEqual({ missing: -999, hugeAbove: Infinity, huge: 0 })
    expect(read).toEqual(
      JSON.parse(JSON.stringify({ ...manifest, preprocessing: null }), (key, value: unknown) =>
        key === 'preprocessing' ? read.preprocessing : value,
      ),
    )
    const described = await describeModel({ name: 'x', version: '1', folder: directory }, { verify: false })
    expect(described.classes.slice(0, 3)).toEqual(['AGN', 'Blazar', 'CEP'])
  })

  it('takes another classifier name, and other rules for missing values', async () => {
    const { manifest } = await importFile(bhrfFile, readBhrf(), { classifierName: 'mine', missing: NaN })
    expect(taxonomyOf(manifest).levels[1]!.classifierName).toBe('mine_top')
    expect(manifest.preprocessing.missing).toBeNaN()
    expect(manifest.preprocessing.rejectsMissing).toBeUndefined()
    await expect(importFile(bhrfFile, readBhrf(), { classifierName: 'a b' })).rejects.toThrow(UsageError)
  })

  it('says itself what its hierarchy is', async () => {
    await expect(importFile(bhrfFile, readBhrf(), { taxonomy: { A: ['x'] } })).rejects.toThrow(
      `--taxonomy: ${bhrfFile} says itself what its hierarchy is`,
    )
  })
})

const classesOf = (...names: string[]) => ({ classes_: list(...names.map(text)) })
const form = (changes: Record<string, Buffer> = {}) =>
  pickleOf(
    dict({
      feature_list: list(text('a'), text('b')),
      list_of_classes: list(text('z'), text('m'), text('y'), text('a')),
      model: dict({
        top: forest({ attributes: classesOf('Odd', 'even') }),
        even: forest({ attributes: classesOf('a', 'z') }),
        odd: forest({ attributes: classesOf('m', 'y') }),
      }),
      ...changes,
    }),
  )

describe('a hierarchy in one dict', () => {
  it('has its branches by their keys, in upper or lower case, and no hierarchy besides', async () => {
    const { manifest } = await importFile('x.pkl', form())
    expect(manifest.taxonomy).toEqual({ even: ['z', 'a'], Odd: ['m', 'y'] })
    expect(manifest.productClasses).toEqual(['z', 'm', 'y', 'a'])
    expect(manifest.levels.map(({ name, branch }) => [name, branch])).toEqual([
      ['top', null],
      ['even', 'even'],
      ['odd', 'Odd'],
    ])
  })

  it('whose product is branch by branch needs no order of its own', async () => {
    const list_of_classes = list(text('z'), text('a'), text('y'), text('m'))
    const { manifest } = await importFile('x.pkl', form({ list_of_classes }))
    expect(manifest.productClasses).toBeUndefined()
    expect(taxonomyOf(manifest).levels[0]!.classes).toEqual(['z', 'a', 'y', 'm'])
  })

  it.each([
    [
      'a class that no branch has',
      { list_of_classes: list(text('z'), text('q')) },
      'no branch has q; not listed: a, m, y',
    ],
    ['a class in two branches', { list_of_classes: list(text('z'), text('z')) }, 'appears twice'],
    [
      'other branches than top',
      { model: dict({ top: forest(), no: forest(), maybe: forest() }) },
      'the branch "maybe"',
    ],
    ['no top', { model: dict({ even: forest() }) }, 'model has no top, only even'],
    [
      'another class_hierarchy',
      { class_hierarchy: dict({ even: list(text('z')), Odd: list(text('m'), text('y')) }) },
      'class_hierarchy has z in even, its forest knows z, a',
    ],
    ['too few features', { feature_list: list(text('a')) }, 'the forest has 2 features, feature_list has 1 names'],
    ['a classifier of another kind', { model: dict({ top: newObject(global('sklearn.svm.SVC')) }) }, 'sklearn.svm.SVC'],
    ['numbers for features', { feature_list: integer(3) }, 'where a list of names is needed'],
  ])('with %s is refused', async (_, changes, message) => {
    const refused = importFile('x.pkl', form(changes as Record<string, Buffer>))
    await expect(refused).rejects.toThrow(ModelError)
    await expect(refused).rejects.toThrow(message)
  })

  it('that is one classifier is a model of one level, whose numbered classes have names', async () => {
    const model = forest({ attributes: { classes_: list(integer(0), integer(1)) } })
    const { manifest } = await importFile('x.pkl', form({ model, list_of_classes: list(text('no'), text('yes')) }))
    expect(manifest).toMatchObject({ taxonomy: null, levels: [{ name: 'flat', classes: ['no', 'yes'] }] })
    const wrong = form({ list_of_classes: list(text('yes'), text('no')), model: forest() })
    await expect(importFile('x.pkl', wrong)).rejects.toThrow('the classifier knows no, yes in this order')
  })
})

describe('a classifier alone', () => {
  const numbered = pickleOf(forest({ attributes: { classes_: list(integer(0), integer(1)) } }))
  it('whose classes are numbered can be given their names, and no others', async () => {
    const features = ['a', 'b']
    const { manifest } = await importFile('x.pkl', numbered, { features, classes: ['no', 'yes'] })
    expect(manifest.levels[0]!.classes).toEqual(['no', 'yes'])
    const refused = importFile('x.pkl', numbered, { features, classes: ['no', 'yes', 'maybe'] })
    await expect(refused).rejects.toThrow('the list of classes is no, yes, maybe, the classifier knows 0, 1')
  })

  it('that takes no missing values rejects their rows, unless they become a number', async () => {
    const features = ['a', 'b']
    const { manifest } = await importFile('x.pkl', numbered, { features })
    expect(manifest.preprocessing).toMatchObject({ missing: NaN, infinite: 'rejected' })
    expect(manifest.preprocessing.rejectsMissing).toContain('takes no missing values')
    const { manifest: filled } = await importFile('x.pkl', numbered, { features, missing: -999 })
    expect(filled.preprocessing).toEqual({ missing: -999, hugeAbove: Infinity, huge: 0, infinite: 'rejected' })
  })
})

describe('ELAsTiCC’s forests', () => {
  it('have lists of features of their own, and answer as lc_classifier does', async () => {
    const source = unpackFixture('elasticc')
    const out = join(temporaryFolder(), 'bundle')
    const options = { source, name: 'elasticc', version: '1', out }
    const { manifest } = await importModel({ ...options, goldenDir: source })
    expect(manifest.golden).toEqual({ rows: 40, source: 'scikit-learn 1.5.2' })
    expect(manifest.taxonomy).toEqual({
      Stochastic: ['AGN', 'uLens'],
      Periodic: ['Cepheid', 'EB'],
      Transient: ['II', 'Ia', 'KN'],
    })
    expect(manifest.features).toHaveLength(15)
    expect(manifest.origin.map(({ file }) => file)).toEqual([
      'features_HRF_model.pkl',
      'top_level_HRF_model.pkl',
      'stochastic_level_HRF_model.pkl',
      'periodic_level_HRF_model.pkl',
      'transient_level_HRF_model.pkl',
    ])
    // and without the golden answers, from their own arrays
    await importModel({ ...options, out: `${out}-plain` })
  })
})

describe('one forest in every container', () => {
  const folder = 'today/forest-files'
  const files = readdirSync(new URL(`../../fixtures/model/${folder}/`, import.meta.url)).filter((name) =>
    name.startsWith('model'),
  )
  const plain = ['model.joblib', 'model.pkl']
  const containers = [
    ...files.filter((name) => !plain.includes(name.replace(/\.gz$/, '')) || name.endsWith('.pkl.gz')),
    ...plain,
  ]

  it('of joblib and of pickle is among the fixtures', () => {
    expect(containers.sort()).toEqual([
      'model-bz2.joblib',
      'model-gzip.joblib',
      'model-lz4.joblib',
      'model-xz.joblib',
      'model-zlib.joblib',
      'model.joblib',
      'model.pkl',
      'model.pkl.bz2',
      'model.pkl.gz',
      'model.pkl.xz',
    ])
  })

  it.each(containers)('%s answers as scikit-learn does, whatever it is called', async (name) => {
    const bytes = plain.includes(name) ? readFixture(`${folder}/${name}.gz`) : packedFixture(`${folder}/${name}`)
    const { features } = readTruth(folder)
    const { directory } = await importFile('model.sav', bytes, { features })
    expect(await compareWithTruth(directory, folder)).toEqual({ differing: [0], rejected: [], rows: 200 })
    expect(existsSync(join(directory, 'forest.arrow'))).toBe(true)
  })
})
