import { access, chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { ServiceError, UsageError } from '../src/errors.ts'
import { openReplacement } from '../src/whole-file.ts'
import type { SinkSpec } from '../src/connectors/spec.ts'
import { shell, writing } from './connectors/files/run-process.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

let folder: string
let path: string

beforeEach(async () => {
  folder = temporaryFolder()
  path = join(folder, 'night.csv')
})

function open(overwrite = false, place = path): ReturnType<typeof openReplacement> {
  return openReplacement({ path: place, address: place, overwrite })
}

async function writeAll(overwrite: boolean, text: string, place = path): Promise<void> {
  const output = await open(overwrite, place)
  await output.write(Buffer.from(text))
  await output.finish()
  await output.publish()
  await output.close()
}

function csvSpec(file = path): SinkSpec {
  return { kind: 'file', address: file, path: file, format: 'csv', isGzipped: false, layout: 'wide', overwrite: false }
}

describe('a result file', () => {
  it('appears whole, and nothing stays beside it', async () => {
    await writeAll(false, 'whole')
    expect(await readdir(folder)).toEqual(['night.csv'])
    expect(await readFile(path, 'utf8')).toBe('whole')
  })

  it('is written beside its name, where a folder read as input skips it', async () => {
    const output = await open()
    expect(await readdir(folder)).toEqual([expect.stringMatching(/^\.night\.csv\.\d+-[0-9a-f]+\.partial$/)])
    await output.close()
    expect(await readdir(folder)).toEqual([])
  })

  it('does not replace another without being told', async () => {
    await writeFile(path, 'old')
    await expect(open()).rejects.toThrow(UsageError)
    await expect(open()).rejects.toMatchObject({ hint: expect.stringContaining('--overwrite') })
    expect(await readdir(folder)).toEqual(['night.csv'])
  })

  it('replaces another in one step when told', async () => {
    await writeFile(path, 'old')
    const output = await open(true)
    await output.write(Buffer.from('new'))
    await output.finish()
    expect(await readFile(path, 'utf8')).toBe('old')
    await output.publish()
    expect(await readFile(path, 'utf8')).toBe('new')
    expect(await readdir(folder)).toEqual(['night.csv'])
  })

  it.each([
    ['by a link', undefined],
    [
      'where the file system has no links',
      () => Promise.reject(Object.assign(new Error('no links here'), { code: 'EPERM' })),
    ],
  ])('never replaces one that appeared meanwhile, %s', async (_, makeLink) => {
    const output = await openReplacement({ path, address: path, overwrite: false, ...(makeLink ? { makeLink } : {}) })
    await output.write(Buffer.from('ours'))
    await output.finish()
    await writeFile(path, 'theirs')
    await expect(output.publish()).rejects.toThrow(/exists already/)
    await output.close()
    expect(await readFile(path, 'utf8')).toBe('theirs')
    expect(await readdir(folder)).toEqual(['night.csv'])
  })

  it('is published where the file system has no links', async () => {
    const makeLink = (): Promise<void> => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTSUP' }))
    const output = await openReplacement({ path, address: path, overwrite: false, makeLink })
    await output.write(Buffer.from('ours'))
    await output.finish()
    await output.publish()
    expect(await readFile(path, 'utf8')).toBe('ours')
    expect(await readdir(folder)).toEqual(['night.csv'])
  })

  it('goes where a symbolic link points, and the link stays', async () => {
    const real = join(folder, 'real.csv')
    await writeFile(real, 'old')
    await symlink('real.csv', path)
    await writeAll(true, 'new')
    expect((await lstat(path)).isSymbolicLink()).toBe(true)
    expect(await readFile(real, 'utf8')).toBe('new')
  })

  it('has its folders made', async () => {
    const deep = join(folder, 'new/deep/night.csv')
    await writeAll(false, 'whole', deep)
    expect(await readFile(deep, 'utf8')).toBe('whole')
  })

  it('leaves no folder behind that was made for nothing', async () => {
    const output = await open(false, join(folder, 'new/deep/night.csv'))
    await output.close()
    expect(await readdir(folder)).toEqual([])
    await expect(open(false, join(folder, 'new', 'n'.repeat(256)))).rejects.toThrow(UsageError)
    expect(await readdir(folder)).toEqual([])
  })

  it('leaves a new folder in which somebody else has put something', async () => {
    const output = await open(false, join(folder, 'new/night.csv'))
    await writeFile(join(folder, 'new/other.csv'), '')
    await output.close()
    expect(await readdir(join(folder, 'new'))).toEqual(['other.csv'])
  })

  it('may have a name as long as a name can be', async () => {
    const long = join(folder, `${'ü'.repeat(123)}.csv`)
    await writeAll(false, 'x', long)
    expect(await readFile(long, 'utf8')).toBe('x')
  })

  it('may not have a longer one', async () => {
    const longer = join(folder, `${'n'.repeat(256)}.csv`)
    await expect(open(false, longer)).rejects.toThrow(UsageError)
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a place that cannot be written', () => {
  it('is named when it is a folder', async () => {
    await mkdir(path)
    await expect(open()).rejects.toThrow(`cannot write ${path}: it is a folder`)
    await expect(open(true)).rejects.toThrow(UsageError)
  })

  it('is named when a part of it is a file', async () => {
    await writeFile(path, '')
    await expect(open(false, join(path, 'x.csv'))).rejects.toThrow(`${path} is not a folder`)
  })

  it.skipIf(process.getuid?.() === 0)('is named when the folder is closed', async () => {
    await chmod(folder, 0o500)
    await expect(open()).rejects.toThrow('no permission')
    await chmod(folder, 0o700)
  })

  it.skipIf(process.platform === 'win32')('is never a device, not even to overwrite', async () => {
    await expect(open(true, '/dev/null')).rejects.toThrow('it is a device')
    await access('/dev/null')
  })
})

describe.skipIf(process.platform === 'win32')('a run that dies', { timeout: 30_000 }, () => {
  it.each(['kill', 'kill-finished'])('leaves no file under the name (%s)', async (ending) => {
    const { code, signal } = await shell(`exec ${writing(csvSpec(), 5, ending)}`)
    expect([code, signal]).toEqual([null, 'SIGKILL'])
    const left = await readdir(folder)
    expect(left.filter((name) => !name.startsWith('.'))).toEqual([])
    expect(left).toHaveLength(1)
  })

  it.each(['csv', 'parquet', 'arrow', 'ndjson'] as const)(
    'of a file that may not grow (%s) ends with its name and what to do, and gives the space back',
    async (format) => {
      const file = join(folder, `big.${format}`)
      // 16 blocks of 1024 bytes
      const spec = { ...csvSpec(file), format } as SinkSpec
      const { code, stderr } = await shell(`ulimit -f 16; ${writing(spec, 2200)}`)
      expect(stderr).toBe(`service: ${file} grows beyond the largest file allowed here\n`)
      expect(code).toBe(5)
      expect(await readdir(folder)).toEqual([])
    },
  )
})

it('a failure of the disk says whose, and is a ServiceError', async () => {
  const output = await open()
  await output.close()
  await expect(output.write(Buffer.from('late'))).rejects.toThrow(ServiceError)
  await expect(output.write(Buffer.from('late'))).rejects.toThrow(path)
})
