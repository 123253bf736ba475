import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { expandInputs } from '../../src/connectors/inputs.ts'
import { DataError, UsageError } from '../../src/errors.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let root: string

function touch(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), '')
  }
}

const options = (outputFolders: string[] = []) => ({
  fromFormat: undefined,
  outputFolders,
  environment: {},
  window: {},
  commits: false,
})

async function names(addresses: string[], outputs: string[] = []): Promise<string[]> {
  const at = (address: string) => (address === '-' ? address : join(root, address))
  return (await expandInputs(addresses.map(at), options(outputs.map(at)))).map(({ relativePath }) => relativePath)
}

beforeEach(() => {
  root = temporaryFolder()
})

describe('expandInputs', () => {
  it('reads a folder recursively, known suffixes only, sorted, without _ and . names and receipts', async () => {
    touch(
      'n/b.parquet',
      'n/a.csv.gz',
      'n/sub/c.ndjson',
      'n/_SUCCESS',
      'n/_tmp/d.parquet',
      'n/.x.parquet',
      'n/notes.txt',
    )
    touch('n/a.parquet.receipt.json', 'n/B.PARQUET')
    expect(await names(['n'])).toEqual(['B.PARQUET', 'a.csv.gz', 'b.parquet', 'sub/c.ndjson'])
  })

  it('names results below the input root, without the suffix', async () => {
    touch('n/sub/c.csv.gz')
    const [input] = await expandInputs([join(root, 'n')], options())
    expect(input).toMatchObject({
      relativeName: 'sub/c',
      spec: { format: 'csv', address: join(root, 'n/sub/c.csv.gz') },
    })
    const [globbed] = await expandInputs([join(root, 'n/**/*.gz')], options())
    expect(globbed!.relativeName).toBe('sub/c')
  })

  it('reads a file once, however often it is named', async () => {
    touch('a.parquet', 'b.parquet')
    symlinkSync(join(root, 'a.parquet'), join(root, 'link.parquet'))
    expect(await names(['b.parquet', '*.parquet', 'a.parquet'])).toEqual(['b.parquet', 'a.parquet'])
  })

  it('does not read the results of an earlier run', async () => {
    touch('n/a.parquet', 'n/classified/a.parquet')
    expect(await names(['n'], ['n/classified/'])).toEqual(['a.parquet'])
    expect(await names(['n/**/*.parquet'], ['n/classified/'])).toEqual(['a.parquet'])
  })

  it('reads what lies in an output, where that holds the inputs or a file was named', async () => {
    touch('n/a.parquet', 'n/b.csv')
    expect(await names(['n'], ['.', 'n'])).toEqual(['a.parquet', 'b.csv'])
    expect(await names(['n/*.parquet'], ['.', 'n'])).toEqual(['a.parquet'])
    expect(await names(['n/b.csv'], ['n'])).toEqual(['b.csv'])
    await expect(names(['n/../*/*.csv'], ['n'])).rejects.toThrow('no file matches')
  })

  it('takes a name with glob characters as it stands, if there is such a file', async () => {
    touch('night[1].parquet', 'night1.parquet')
    expect(await names(['night[1].parquet'])).toEqual(['night[1].parquet'])
  })

  it('says what is not there, and what it cannot tell the format of', async () => {
    touch('x.txt', 'empty/notes.txt')
    await expect(names(['absent.parquet'])).rejects.toThrow(DataError)
    await expect(names(['*.parquet'])).rejects.toThrow(/no file matches/)
    await expect(names(['empty'])).rejects.toThrow(/no input files/)
    await expect(names(['x.txt'])).rejects.toThrow(UsageError)
  })
})
