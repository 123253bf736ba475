// Asking an output for less: which columns, which objects, and what cannot be asked of whom.
import { describe, expect, it } from 'vitest'
import { chosenColumns } from '../../src/connectors/files/chosen-columns.ts'
import { createFitsEncoder } from '../../src/connectors/files/fits-sink.ts'
import { createLayout } from '../../src/connectors/files/layouts.ts'
import { rowsWanted } from '../../src/connectors/files/rows-wanted.ts'
import type { OutputLayout } from '../../src/connectors/files/table-sink.ts'
import { createVotableEncoder } from '../../src/connectors/files/votable-sink.ts'
import { outputSpec } from '../../src/connectors/open-connector.ts'
import { checkForm, formFor } from '../../src/connectors/result-form.ts'
import type { ClassifiedBatch } from '../../src/pipeline/batch.ts'
import { contextOf, flatTaxonomy, golden, goldenBatch, taxonomy, version } from '../support/classified-samples.ts'

const context = contextOf({ oidType: 'string', hasCandid: true })
const wide = createLayout('wide', context)
const namesOf = ({ fields }: OutputLayout) => fields.map(({ path }) => path.join('.'))

const equals: ClassifiedBatch = {
  rowCount: 2,
  oids: ['x', 'y'],
  candids: [null, null],
  taxonomy: flatTaxonomy,
  classifierVersion: version,
  probabilities: [Float64Array.of(0.2, 0.4, 0.4, 0.5, 0, 0.5)],
}

describe('--columns', () => {
  it('gives the ids, then what was asked for in that order, each column once', () => {
    const asked = ['probability,class', '*/SNIa', 'AGN', 'stochastic/*', 'class']
    expect(namesOf(chosenColumns(wide, asked))).toEqual([
      ...['oid', 'candid', 'probability', 'class', 'transient/SNIa', 'AGN'],
      ...['AGN', 'Blazar', 'CV/Nova', 'QSO', 'YSO'].map((name) => `stochastic/${name}`).slice(0, 2),
      ...['stochastic/QSO', 'stochastic/YSO'],
    ])
  })

  it('has the values of the whole layout', () => {
    const batch = goldenBatch(0, 24)
    const all = wide.tableOf(batch).columns
    const part = chosenColumns(wide, ['SNIa', 'class'])
    const places = namesOf(part).map((name) => namesOf(wide).indexOf(name))
    expect(part.tableOf(batch)).toEqual({ rowCount: 24, columns: places.map((place) => all[place]) })
    const long = createLayout('long', context)
    const [oids, , , classes] = long.tableOf(batch).columns
    expect(chosenColumns(long, ['class_name']).tableOf(batch).columns).toEqual([oids, classes])
  })

  it('takes a name that has commas or the look of a pattern for itself', () => {
    const flat = createLayout('wide', contextOf({ oidType: 'string', hasCandid: false }, flatTaxonomy))
    expect(namesOf(chosenColumns(flat, ['a,b', 'star , class']))).toEqual(['oid', 'a,b', 'star', 'class'])
  })

  it.for([
    ['ANG', 'no column ANG (nearest: AGN)'],
    ['transient/SNIA', 'no column transient/SNIA (nearest: transient/SNIa'],
    ['nothing/*', 'no column nothing/*'],
    ['class,', 'no column'],
  ])('refuses %s', ([asked, message]) => {
    expect(() => chosenColumns(wide, [asked!])).toThrow(message)
  })
})

describe('--top', () => {
  it('lists the most probable leaf classes, of equals the first in the model’s order', () => {
    const layout = createLayout('wide', contextOf({ oidType: 'string', hasCandid: false }, flatTaxonomy), { top: 2 })
    expect(namesOf(layout).slice(4)).toEqual(['class_1', 'probability_1', 'class_2', 'probability_2'])
    const cells = layout.tableOf(equals).columns.map((column) => {
      if (column.type === 'label') return Array.from(column.codes, (code) => column.labels[code])
      return 'values' in column ? [...column.values] : []
    })
    expect(cells.slice(4)).toEqual([
      ['galaxy "far"', 'star'],
      [0.4, 0.5],
      ['a,b', 'a,b'],
      [0.4, 0.5],
    ])
  })

  it('is as long as the model has classes, and no longer', async () => {
    const all = createLayout('wide', context, { top: 15 }).tableOf(goldenBatch(0, 24))
    const numbers = all.columns.filter(({ type }) => type === 'float64').slice(1)
    golden.probabilities['lc_classifier']!.slice(0, 24).forEach((row, i) => {
      expect(numbers.map((column) => column.type === 'float64' && column.values[i])).toEqual(
        [...row].sort((a, b) => b - a),
      )
    })
    const form = { excerpt: { top: 16 } }
    await expect(checkForm(form, context)).rejects.toThrow('--top 16: the model has 15 classes')
  })
})

describe('--only and --min-probability', () => {
  it('keep whole objects by their class, whatever their order', () => {
    const batch = { ...goldenBatch(0, 24), margins: undefined }
    const kept = rowsWanted({ only: ['SNIa, QSO', 'E'] }, taxonomy)(batch)
    const rows = golden.predicted.flatMap((name, row) => (['SNIa', 'QSO', 'E'].includes(name) ? [row] : []))
    expect(rows.length).toBeGreaterThan(1)
    expect(kept.oids).toEqual(rows.map((row) => golden.oid[row]))
    expect(kept.candids).toEqual(rows.map((row) => batch.candids[row]))
    kept.taxonomy.levels.forEach(({ classifierName }, level) => {
      const expected = rows.flatMap((row) => golden.probabilities[classifierName]![row]!)
      expect([...kept.probabilities[level]!]).toEqual(expected)
    })
  })

  it('keep an object on the bound, and all that it has', () => {
    const margins = Float64Array.of(1, 2, 3, 4, 5, 6)
    const others = {
      calibrated: margins.slice(),
      sets: Uint8Array.of(1, 0, 0, 0, 1, 1),
      novelty: Float64Array.of(0.7, 0.8),
    }
    const batch = { ...equals, ...others, margins, taxonomy: { ...flatTaxonomy, margins: ['a', 'b', 'c'] } }
    const kept = rowsWanted({ minProbability: 0.5 }, flatTaxonomy)(batch)
    expect([kept.oids, [...kept.margins!], [...kept.calibrated!]]).toEqual([['y'], [4, 5, 6], [4, 5, 6]])
    expect([[...kept.sets!], [...kept.novelty!]]).toEqual([[0, 1, 1], [0.8]])
    expect(rowsWanted({ minProbability: 0.4 }, flatTaxonomy)(batch)).toBe(batch)
    expect(rowsWanted({ only: ['a,b'] }, flatTaxonomy)(batch).rowCount).toBe(0)
  })

  it('keep the calibrated probabilities and the sets of an object with it', () => {
    const batch = { ...equals, calibrated: Float64Array.of(1, 2, 3, 4, 5, 6), sets: Uint8Array.of(1, 0, 0, 0, 1, 1) }
    const kept = rowsWanted({ minProbability: 0.5 }, flatTaxonomy)(batch)
    expect([kept.oids, [...kept.calibrated!], [...kept.sets!]]).toEqual([['y'], [4, 5, 6], [0, 1, 1]])
  })

  it('take no number that is no probability', () => {
    for (const minProbability of [-0.1, 1.1, NaN]) {
      expect(() => rowsWanted({ minProbability }, taxonomy)).toThrow('not from 0 to 1')
    }
    for (const top of [0, 1.5]) expect(() => createLayout('wide', context, { top })).toThrow(`--top ${top}`)
  })

  it('know leaf classes only', () => {
    expect(() => rowsWanted({ only: ['SNIb'] }, taxonomy)).toThrow('--only: the model has no class SNIb (nearest: SNI')
    expect(() => rowsWanted({ only: ['Transient'] }, taxonomy)).toThrow(
      expect.objectContaining({ hint: 'Transient is a branch; its classes are SLSN, SNII, SNIa, SNIbc.' }) as Error,
    )
  })
})

describe('FITS and VOTable', () => {
  it('have no structures', () => {
    expect(() => formFor('fits', { layout: 'nested' })).toThrow('--layout nested cannot be written as FITS')
    expect(() => formFor('votable', { layout: 'nested' })).toThrow('--layout nested cannot be written as VOTable')
  })

  it.for([
    ['of names in other letters', 'naïve', 'FITS names columns in ASCII'],
    ['of two names that differ by case', 'Star', 'in FITS the columns star and Star would have one name'],
  ])('FITS refuses classes %s', ([, name, message]) => {
    const fields = ['star', name!].map((one) => ({ path: [one], type: 'float64', isNullable: false }) as const)
    const write = () => Promise.resolve()
    expect(() => createFitsEncoder({ fields, facts: new Map(), write })).toThrow(message)
    expect(() => createVotableEncoder({ fields, facts: new Map(), write })).not.toThrow()
  })
})

describe('a part', () => {
  it('of NDJSON is wide, because only there columns have names', () => {
    expect(formFor('ndjson', { top: 3 })).toMatchObject({ layout: 'wide' })
    expect(formFor('ndjson', { only: ['AGN'] })).toMatchObject({ layout: 'nested', excerpt: { only: ['AGN'] } })
    expect(formFor('ndjson', {})).toEqual({ layout: 'nested', margins: undefined, excerpt: undefined })
  })

  it.for([
    [{ columns: ['class'], layout: 'nested' }, '--columns is not for --layout nested'],
    [{ top: 1, layout: 'nested' }, '--top is not for --layout nested'],
    [{ top: 1, layout: 'long' }, '--top is not for --layout long'],
  ] as const)('of a layout that cannot have it is refused: %s', ([asked, message]) => {
    expect(() => formFor('parquet', asked)).toThrow(message)
  })

  it.for(['columns', 'top', 'only', 'minProbability'] as const)('is nothing for tables and topics: %s', (name) => {
    const asked = { columns: ['class'], top: 1, only: ['AGN'], minProbability: 0.5 }[name]
    const flag = name === 'minProbability' ? '--min-probability' : `--${name}`
    for (const address of ['postgres://u:secret@h/d', 'kafka://h/t']) {
      const refused = () => outputSpec(address, { [name]: asked, environment: {} })
      expect(refused).toThrow(`${flag}: ${address.replace('secret', '***')} takes whole objects`)
    }
  })
})
