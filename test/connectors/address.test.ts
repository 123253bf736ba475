import { describe, expect, it } from 'vitest'
import { filePathOf, inputFormatOf, outputFormatOf } from '../../src/connectors/address.ts'
import { UsageError } from '../../src/errors.ts'
import { redacted, redactedText } from '../../src/formats/shown-text.ts'

describe('addresses', () => {
  it('know a format by the longest suffix, whatever its case', () => {
    expect(inputFormatOf('n/x.csv.gz')).toEqual({ format: 'csv', isGzipped: true, suffix: '.csv.gz' })
    expect(inputFormatOf('NIGHT.PARQUET')).toEqual({ format: 'parquet', isGzipped: false, suffix: '.PARQUET' })
    expect(inputFormatOf('x.avro')?.format).toBe('avro')
    expect(inputFormatOf('parquet')).toBe(undefined)
    expect(inputFormatOf('x.parquet.gz')).toBe(undefined)
    expect(outputFormatOf('x.avro')).toBe(undefined)
    expect(outputFormatOf('x.feather')?.format).toBe('arrow')
  })

  it('tell files from services', () => {
    expect(filePathOf('night.parquet', 'input')).toBe('night.parquet')
    expect(filePathOf('a:b/night.parquet', 'input')).toBe('a:b/night.parquet')
    expect(() => filePathOf('gopher://host/night.parquet', 'input')).toThrow(UsageError)
  })

  it('never show a password', () => {
    expect(redacted('postgres://broker:p@ss:w/rd@db:5432/ztf')).toBe('postgres://broker:***@db:5432/ztf')
    expect(redacted('postgres://broker@db/ztf')).toBe('postgres://broker@db/ztf')
    expect(redacted('night.parquet')).toBe('night.parquet')
    for (const typed of ['https://me:hunter2@host/dav/', 'https:me:hunter2@host/', 'me:hun@ter2@host/dav/']) {
      expect(redactedText(typed)).toMatch(/^(https:\/\/me|https|me):\*\*\*@host\//)
    }
    expect(redactedText('s3://bucket/models/')).toBe('s3://bucket/models/')
  })
})
