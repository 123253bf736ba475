// Models with something wrong in them: an error of ours, or a model that can be walked, in a moment and in little memory.
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { readLightgbm } from '../../../src/model/lightgbm/read-lightgbm.ts'
import { readXgboost } from '../../../src/model/xgboost/read-xgboost.ts'
import { readUbjson } from '../../../src/model/xgboost/ubjson.ts'
import { damageBytes, damageDocument, randomNumbers, readDamaged } from '../../support/damaged-models.ts'
import { estimatorFixtures, readModel } from '../../support/estimator-fixtures.ts'

const count = Number(process.env['LCCLF_MUTANTS'] ?? 100)
const fixtures = estimatorFixtures()
const ofSuffix = (suffix: string) => fixtures.filter(({ file }) => file.endsWith(suffix))

describe('damaged models', { tags: ['long'] }, () => {
  it.each(['.pkl', '.json', '.ubj', '.txt'])('%s: bytes', (suffix) => {
    const random = randomNumbers(1)
    const some = ofSuffix(suffix)
    const { refused, slowest } = readDamaged(count, () => {
      const { bytes, file } = some[Math.floor(random() * some.length)]!
      return readModel(damageBytes(bytes, random), file)
    })
    expect(refused).toBeGreaterThan(count / 10)
    expect(slowest).toBeLessThan(2000)
  })

  it('documents of XGBoost', () => {
    const random = randomNumbers(2)
    const documents = ofSuffix('.json').map(({ bytes }) => JSON.parse(bytes.toString()) as unknown)
    const { refused, slowest } = readDamaged(count, () => {
      const document = damageDocument(documents[Math.floor(random() * documents.length)], random)
      return readXgboost(Buffer.from(JSON.stringify(document)), 'model.json')
    })
    expect(refused).toBeGreaterThan(count / 10)
    expect(slowest).toBeLessThan(2000)
  })

  it('texts of LightGBM, line by line', () => {
    const random = randomNumbers(3)
    const texts = ofSuffix('.txt').map(({ bytes }) => bytes.toString().split('\n'))
    const words = ['0', '-1', '1', '99999', '1e400', 'nan', 'inf', '', '-2147483648', 'x', '3.5', '13']
    const { refused, slowest } = readDamaged(count, () => {
      const lines = [...texts[Math.floor(random() * texts.length)]!]
      const at = Math.floor(lines.length * random() ** 2)
      const [key, ...values] = lines[at]!.split(/[= ]/)
      values[Math.floor(random() * values.length)] = words[Math.floor(random() * words.length)]!
      if (random() < 0.2) lines.splice(at, 1)
      else if (random() < 0.2) lines.splice(at, 0, lines[Math.floor(random() * lines.length)]!)
      else lines[at] = `${key}=${values.join(' ')}`
      return readLightgbm(lines.join('\n'), 'model.txt')
    })
    expect(refused).toBeGreaterThan(count / 10)
    expect(slowest).toBeLessThan(2000)
  })
})

describe('UBJSON', () => {
  const bytes = (text: string) => Buffer.from(text, 'latin1')

  it.each([
    ['nested a thousand deep', '['.repeat(1000), 'nested too deeply'],
    ['a list of 2^40 numbers', '[$d#L\x00\x00\x01\x00\x00\x00\x00\x00', 'ends in the middle'],
    ['a list of 2^31 values', '[#l\x7f\xff\xff\xff', 'ends in the middle'],
    ['a negative length', '{i\xff', 'a length of -1'],
    ['a list of nothing', '[$Z#l\x7f\xff\xff\xff', 'which XGBoost does not write'],
    ['a text of 2^40 bytes', 'SL\x00\x00\x01\x00\x00\x00\x00\x00', 'ends in the middle'],
    ['an object without end', '{i\x01ai\x01', 'ends in the middle'],
  ])('%s is refused', (_, text, problem) => {
    expect(() => readUbjson(bytes(text), 'model.ubj')).toThrow(problem)
    expect(() => readUbjson(bytes(text), 'model.ubj')).toThrow(ModelError)
  })

  it('keeps a key that is the name of an object’s own member', () => {
    expect(readUbjson(bytes('{i\x09__proto__i\x07}'), 'model.ubj')).toEqual(
      Object.assign(Object.create(null), { ['__proto__']: 7 }),
    )
  })
})
