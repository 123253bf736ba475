import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import { kafkaSnapshotSpec } from '../../../src/connectors/kafka/spec.ts'
import { openKafkaSource } from '../../../src/connectors/kafka/kafka-source.ts'
import { openValueSchema, readSchemaFiles } from '../../../src/connectors/kafka/value-schema.ts'
import { testOptions } from '../../support/kafka-stream.ts'
import { recordOf } from '../../support/read-message.ts'
import { bareSchema } from '../../support/messages-of-today.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const featureFile = bareSchema.replace('output', 'features_record_ztf')
const oid = { name: 'oid', type: 'string' }
const candid = { name: 'candid', type: ['null', 'long'] }
const features = { name: 'features', type: { type: 'map', values: ['null', 'float'] } }
let folder: string

beforeEach(() => {
  folder = temporaryFolder()
})

/** A file of this content, in the folder of the test. */
function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

function refused(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    const { message, hint } = error as UsageError
    return `${message} ${hint ?? ''}`.replaceAll(folder, '')
  }
  throw new Error('it was not refused')
}

describe('files of the schema of values', () => {
  it('find the types that they name in files before them, or beside them under the name of the type', () => {
    const apart = [join(folder, 'types.avsc'), join(folder, 'message.avsc')]
    copyFileSync(featureFile, apart[0]!)
    copyFileSync(bareSchema, apart[1]!)
    expect(readSchemaFiles(apart)).toEqual(readSchemaFiles([bareSchema]))
    expect(readSchemaFiles([featureFile, bareSchema])).toEqual(readSchemaFiles([bareSchema]))
    expect(refused(() => readSchemaFiles([apart[1]!]))).toBe(
      '/message.avsc: the type features_record_ztf is unknown Name the file that defines it first, ' +
        '?schema=TYPES.avsc&schema=FILE.avsc, or put it beside as features_record_ztf.avsc.',
    )
  })

  it('look beside for names with their namespace, and for types that name each other', () => {
    const type = (name: string, more: unknown) => ({ type: 'record', name, namespace: 'a.b', fields: [more] })
    file('a.b.Inner.avsc', type('Inner', { name: 'back', type: ['null', 'Outer'] }))
    const outer = file('outer.avsc', type('Outer', { name: 'inner', type: 'Inner' }))
    const [inner] = readSchemaFiles([outer]).fields
    expect(inner).toMatchObject({ name: 'inner', type: { kind: 'record', fields: [{ name: 'back' }] } })
    mkdirSync(join(folder, 'sub'))
    file('x.avsc', '"int"')
    const away = file('sub/away.avsc', recordOf([{ name: 'x', type: '../x' }]))
    expect(refused(() => readSchemaFiles([away]))).toContain('the type ../x is unknown')
  })

  it.each([
    ['that is not there', undefined, '/s.avsc cannot be read: there is no such file'],
    ['that is no JSON', '{"type": record}', '/s.avsc: the schema is not JSON'],
    ['of no record', '["null", "string"]', '/s.avsc: the schema is no record'],
    ['of a type that nobody knows', recordOf([{ name: 'x', type: 'Nobody' }]), '/s.avsc: the type Nobody is unknown'],
    [
      'with one type twice',
      recordOf([{ name: 'x', type: recordOf([]) }]),
      'the type features_document is defined twice',
    ],
    ['without an oid', recordOf([candid, features]), '/s.avsc lacks a column the model needs: oid'],
    ['whose oid is a float', recordOf([{ ...oid, type: 'double' }, candid, features]), 'field oid holds double'],
    ['whose oid is null', recordOf([{ ...oid, type: 'null' }, candid, features]), 'field oid holds null, not ids'],
    ['without a candid', recordOf([oid, features]), '/s.avsc: its records have no field candid'],
    [
      'whose candid is text in a map',
      recordOf([oid, { ...candid, type: { type: 'map', values: 'string' } }, features]),
      'field candid holds map, not ids',
    ],
    ['without features', recordOf([oid, candid]), '/s.avsc: its records have no field features'],
    [
      'whose features are text',
      recordOf([oid, candid, { ...features, type: ['null', 'string'] }]),
      'the field features holds text, not features',
    ],
    [
      'whose features are a map of text',
      recordOf([oid, candid, { ...features, type: { type: 'map', values: 'string' } }]),
      'the field features holds text, not numbers',
    ],
    [
      'of features that are others',
      recordOf([
        oid,
        candid,
        { ...features, type: { type: 'record', name: 'f', fields: [{ name: 'gal_b', type: 'float' }] } },
      ]),
      '/s.avsc lacks a column the model needs: gal_l',
    ],
    [
      'of features that are text',
      recordOf([
        oid,
        candid,
        {
          ...features,
          type: {
            type: 'record',
            name: 'f',
            fields: ['gal_b', 'gal_l'].map((name) => ({ name, type: name === 'gal_l' ? 'string' : 'float' })),
          },
        },
      ]),
      'the field gal_l holds text, not numbers',
    ],
  ])('%s are refused by name', (_, content, message) => {
    const path = join(folder, 's.avsc')
    if (content !== undefined) file('s.avsc', content)
    expect(refused(() => openValueSchema([path], testOptions()))).toContain(message)
  })

  it('take the names that are asked for', () => {
    const path = file('s.avsc', recordOf([{ name: 'id', type: 'long' }, { name: 'alert', type: 'string' }, features]))
    const options = testOptions({ idColumn: 'id', candidColumn: 'alert' })
    expect(openValueSchema([path], options)?.options.idColumn).toBe('id')
    expect(refused(() => openValueSchema([path], testOptions({ idColumn: 'id' })))).toContain('no field candid')
  })

  it('are refused before anything is connected to, those of the environment too', async () => {
    const window = { window: {}, commit: false }
    const absent = join(folder, 'absent.avsc')
    expect(refused(() => kafkaSnapshotSpec(`kafka://127.0.0.1:1/t?schema=${absent}`, window, {}))).toContain(
      'absent.avsc',
    )
    const environment = { CONSUMER_SCHEMA_PATH: `${featureFile}, ${bareSchema}` }
    const spec = kafkaSnapshotSpec('kafka://127.0.0.1:1/t', window, environment)
    expect(spec.schemas).toEqual([featureFile, bareSchema])
    expect(kafkaSnapshotSpec(`kafka://h/t?schema=${bareSchema}`, window, environment).schemas).toEqual([bareSchema])
    // nobody listens there
    await expect(openKafkaSource(spec, testOptions())).rejects.toThrow(/output\.avsc lacks 2 columns.*gal_b/)
    expect(readFileSync(bareSchema, 'utf8')).not.toContain('gal_b')
  })
})
