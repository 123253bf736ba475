import { describe, expect, it } from 'vitest'
import { createLayout } from '../../../src/connectors/files/layouts.ts'
import type { ClassifiedBatch, Taxonomy } from '../../../src/pipeline/batch.ts'
import { ModelError } from '../../../src/errors.ts'
import { contextOf, flatTaxonomy, golden, goldenBatch, taxonomy, version } from '../../support/classified-samples.ts'

const withCandid = { oidType: 'string', hasCandid: true } as const

function pathsOf(layout: 'wide' | 'long' | 'nested', context = contextOf(withCandid)): string[] {
  return createLayout(layout, context).fields.map(({ path }) => path.join(' > '))
}

function oneObject(levels: Taxonomy, ...probabilities: number[][]): ClassifiedBatch {
  return {
    rowCount: 1,
    oids: ['a'],
    candids: [null],
    taxonomy: levels,
    classifierVersion: version,
    probabilities: probabilities.map((level) => Float64Array.from(level)),
  }
}

describe('the wide layout', () => {
  it('has the columns of the contract, in its order', () => {
    expect(pathsOf('wide')).toEqual([
      ...['oid', 'candid', 'class', 'probability', 'classifier_version'],
      ...['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO', 'CEP', 'DSCT', 'E', 'LPV', 'Periodic-Other', 'RRL'],
      ...['SLSN', 'SNII', 'SNIa', 'SNIbc', 'top/Periodic', 'top/Stochastic', 'top/Transient'],
      ...['stochastic/AGN', 'stochastic/Blazar', 'stochastic/CV/Nova', 'stochastic/QSO', 'stochastic/YSO'],
      ...['periodic/CEP', 'periodic/DSCT', 'periodic/E', 'periodic/LPV', 'periodic/Periodic-Other', 'periodic/RRL'],
      ...['transient/SLSN', 'transient/SNII', 'transient/SNIa', 'transient/SNIbc'],
    ])
  })

  it('gives the class that scikit-learn predicts, and its probability', () => {
    const table = createLayout('wide', contextOf(withCandid)).tableOf(goldenBatch(0, 24))
    const [, , classes, probability] = table.columns
    if (classes?.type !== 'label' || probability?.type !== 'float64') throw new Error('other types')
    expect(Array.from(classes.codes, (code) => classes.labels[code])).toEqual(golden.predicted)
    expect([...probability.values]).toEqual(golden.probabilities['lc_classifier']!.map((row) => Math.max(...row)))
  })

  it('takes the first class of equals', () => {
    const table = createLayout('wide', contextOf(withCandid, flatTaxonomy)).tableOf(
      oneObject(flatTaxonomy, [0.2, 0.4, 0.4]),
    )
    const [, , classes] = table.columns
    expect(classes?.type === 'label' && classes.labels[classes.codes[0]!]).toBe('galaxy "far"')
  })

  it('has no level columns for a model of one level', () => {
    expect(pathsOf('wide', contextOf({ oidType: 'int64', hasCandid: false }, flatTaxonomy))).toEqual([
      ...['oid', 'class', 'probability', 'classifier_version', 'star', 'galaxy "far"', 'a,b'],
    ])
  })

  it('refuses a class that has the name of another column', () => {
    const clash: Taxonomy = { levels: [{ ...flatTaxonomy.levels[0]!, classes: ['star', 'probability'] }] }
    expect(() => createLayout('wide', contextOf(withCandid, clash))).toThrow(ModelError)
    expect(() => createLayout('long', contextOf(withCandid, clash))).not.toThrow()
  })
})

describe('the long layout', () => {
  it('has the columns of the Probability table', () => {
    expect(pathsOf('long')).toEqual([
      ...['oid', 'classifier_name', 'classifier_version', 'class_name', 'probability', 'ranking'],
    ])
  })

  it('has 33 rows an object with the survey’s taxonomy', () => {
    expect(createLayout('long', contextOf(withCandid)).tableOf(goldenBatch(0, 4)).rowCount).toBe(4 * 33)
  })

  it('writes only the product for a model of one level', () => {
    const table = createLayout('long', contextOf(withCandid, flatTaxonomy)).tableOf(
      oneObject(flatTaxonomy, [0.2, 0.4, 0.4]),
    )
    const [, names] = table.columns
    expect(table.rowCount).toBe(3)
    expect(names?.type === 'label' && Array.from(names.codes, (code) => names.labels[code])).toEqual([
      ...['lc_classifier', 'lc_classifier', 'lc_classifier'],
    ])
  })
})

describe('the nested layout', () => {
  it('is the message’s own form, branches in the model’s order', () => {
    const paths = pathsOf('nested')
    expect(paths.slice(0, 4)).toEqual([
      'oid',
      'candid',
      'classifier_version',
      'lc_classification > probabilities > AGN',
    ])
    expect(paths[18]).toBe('lc_classification > class')
    expect(paths[19]).toBe('lc_classification > hierarchical > top > Periodic')
    const children = paths.slice(22).map((path) => path.split(' > ').slice(1, 4).join(' > '))
    expect([...new Set(children)]).toEqual([
      'hierarchical > children > Stochastic',
      'hierarchical > children > Periodic',
      'hierarchical > children > Transient',
    ])
  })

  it('has only probabilities and class for a model of one level', () => {
    expect(pathsOf('nested', contextOf(withCandid, flatTaxonomy)).slice(3)).toEqual([
      'lc_classification > probabilities > star',
      'lc_classification > probabilities > galaxy "far"',
      'lc_classification > probabilities > a,b',
      'lc_classification > class',
    ])
  })
})

it('a taxonomy with other branches and classes has its own columns', () => {
  const other: Taxonomy = {
    levels: [
      { classifierName: 'lc_classifier', prefix: '', branch: null, classes: ['Comet', 'Asteroid', 'Bogus'] },
      { classifierName: 'lc_classifier_top', prefix: 'top', branch: null, classes: ['Artefact', 'Moving'] },
      { classifierName: 'lc_classifier_moving', prefix: 'moving', branch: 'Moving', classes: ['Comet', 'Asteroid'] },
      { classifierName: 'lc_classifier_artefact', prefix: 'artefact', branch: 'Artefact', classes: ['Bogus'] },
    ],
  }
  expect(pathsOf('wide', contextOf(withCandid, other)).slice(5)).toEqual([
    ...['Comet', 'Asteroid', 'Bogus', 'top/Artefact', 'top/Moving'],
    ...['moving/Comet', 'moving/Asteroid', 'artefact/Bogus'],
  ])
  expect(taxonomy.levels).toHaveLength(5)
})
