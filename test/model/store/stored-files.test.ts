// Files that lcclf reads back from the disk, as if a stranger had written them: what is wrong is refused by name.
import { createHash } from 'node:crypto'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseReceipt } from '../../../src/jobs/classify/receipt.ts'
import { LcclfError } from '../../../src/errors.ts'
import { parseProfile } from '../../../src/model/bundle/input-profile.ts'
import { readBundle, readProfile } from '../../../src/model/bundle/read-bundle.ts'
import { readPulledRecord, writePulledRecord } from '../../../src/model/store/describe-model.ts'
import { parseIndex, readKnownModels } from '../../../src/model/store/model-lists.ts'
import { readPin, sampleModel } from '../../../src/model/store/model-reference.ts'
import { hasEnded, ownerHere, parseOwner } from '../../../src/owner.ts'
import { parseManifest } from '../../../src/model/bundle/manifest.ts'
import { strangersJson } from '../../support/strangers-json.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Reads every variant; whatever is thrown must be said in our words. Answers how many variants were refused. */
function readAll(text: string, read: (variant: string) => unknown): { refused: number; taken: number } {
  const counts = { refused: 0, taken: 0 }
  for (const variant of strangersJson(text)) {
    try {
      read(variant)
      counts.taken++
    } catch (error) {
      if (!(error instanceof LcclfError)) throw new Error(`a bug for ${variant.slice(0, 200)}`, { cause: error })
      counts.refused++
    }
  }
  return counts
}

const sha256 = createHash('sha256').update('').digest('hex')
const written = (text: string): string => {
  const path = join(temporaryFolder(), 'file.json')
  writeFileSync(path, text)
  return path
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a file that a stranger wrote is refused in our words, or means nothing', () => {
  it('a receipt', () => {
    const receipt = {
      ...{
        schemaVersion: 1,
        command: 'classify',
        model: { name: 'm', version: '1', sha256 },
        options: { engine: null },
      },
      inputs: [{ address: 'a', size: 1, mtime: 'x', etag: 'e', read: 1, classified: 1, rejected: 0, duplicates: 0 }],
      ...{ outputs: [], notes: [], balanced: true, exitCode: 0, result: { size: 1, sha256, etag: null } },
    }
    const { refused } = readAll(JSON.stringify(receipt), parseReceipt)
    expect(refused).toBeGreaterThan(150)
    expect(() => parseReceipt(JSON.stringify({ ...receipt, inputs: [null] }))).toThrow('invalid inputs')
    expect(parseReceipt(JSON.stringify(receipt))).toMatchObject({
      isBalanced: true,
      input: { size: 1 },
      result: { size: 1 },
    })
  })

  it('a pin', () => {
    const folder = temporaryFolder()
    vi.spyOn(process, 'cwd').mockReturnValue(folder)
    const pin = { schemaVersion: 1, name: 'm', version: '1', sha256, address: 's3://models/' }
    const read = (text: string) => {
      writeFileSync(join(folder, 'lcclf.lock'), text)
      return readPin()
    }
    expect(readAll(JSON.stringify(pin), read).refused).toBeGreaterThan(60)
    expect(() => read(JSON.stringify({ ...pin, name: '../../m' }))).toThrow('invalid name or version')
    expect(read(JSON.stringify(pin))).toEqual(pin)
  })

  it('a list of known models, and an index', () => {
    const entry = {
      name: 'm',
      version: '1',
      url: 'https://x/',
      files: ['a.pkl'],
      sha256: { 'a.pkl': sha256 },
      note: '',
    }
    const known = JSON.stringify({ schemaVersion: 1, default: 'm@1', models: [entry] })
    expect(readAll(known, (text) => readKnownModels(written(text))).refused).toBeGreaterThan(80)
    const index = JSON.stringify({ schemaVersion: 1, models: [{ name: 'm', version: '1', sha256, size: 5 }] })
    expect(readAll(index, (text) => parseIndex(text, 'lcclf-index.json')).refused).toBeGreaterThan(60)
    expect(() => parseIndex(index.replace('"size":5', '"size":-1'), 'lcclf-index.json')).toThrow('invalid size of m@1')
  })

  it('the record of a pull', async () => {
    const folder = temporaryFolder()
    const files = [{ file: 'a.pkl', sha256, size: 5, etag: null }]
    const record = { schemaVersion: 1, address: 'https://x/', pulledAt: '2026-01-01T00:00:00.000Z', files } as const
    await writePulledRecord(folder, record)
    expect(readPulledRecord(folder)).toEqual(record)
    const read = (text: string) => {
      writeFileSync(join(folder, 'pulled.json'), text)
      const found = readPulledRecord(folder)
      // what is read is whole
      found?.files.forEach(({ file, sha256: sum }) => expect([typeof file, sum.length]).toEqual(['string', 64]))
      return found
    }
    expect(readAll(JSON.stringify(record), read).refused).toBe(0)
    expect(read(JSON.stringify({ ...record, files: [null] }))).toBeUndefined()
  })

  it('the owner of a lock', () => {
    expect(readAll(JSON.stringify(ownerHere()), (text) => hasEnded(parseOwner(text) ?? ownerHere())).refused).toBe(0)
    expect([-1, 0, 1.5, 1e300].map((pid) => parseOwner(JSON.stringify({ pid, host: 'h' })))).toEqual(
      Array(4).fill(undefined),
    )
  })

  it('a manifest and a profile', () => {
    const manifest = readFileSync(join(sampleModel, 'manifest.json'), 'utf8')
    expect(readAll(manifest, (text) => parseManifest(text, 'manifest.json')).refused).toBeGreaterThan(800)
    const { features } = parseManifest(manifest, 'manifest.json')
    const profile = readFileSync(join(sampleModel, 'profile.json'), 'utf8')
    expect(readAll(profile, (text) => parseProfile(text, 'profile.json', features)).refused).toBeGreaterThan(500)
  })
})

describe('a bundle whose checksums agree', () => {
  it('is opened or refused in our words, whatever its manifest says', { tags: ['long'] }, async () => {
    const folder = join(temporaryFolder(), 'bundle')
    cpSync(sampleModel, folder, { recursive: true })
    const manifest = readFileSync(join(folder, 'manifest.json'), 'utf8')
    let opened = 0
    for (const variant of strangersJson(manifest)) {
      let isManifest = true
      try {
        parseManifest(variant, '')
      } catch {
        isManifest = false
      }
      if (!isManifest) continue
      writeFileSync(join(folder, 'manifest.json'), variant)
      try {
        await readBundle(folder)
        await readProfile(folder)
        opened++
      } catch (error) {
        if (!(error instanceof LcclfError)) throw new Error(`a bug for ${variant.slice(0, 200)}`, { cause: error })
      }
    }
    expect(opened).toBeGreaterThan(0)
  })
})
