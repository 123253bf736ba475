import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openStore } from '../../../src/model/store/model-store.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

describe('a store with a model that lost its manifest', () => {
  const root = temporaryFolder()
  for (const version of ['1.0', '2.0']) {
    mkdirSync(join(root, 'f', version), { recursive: true })
    writeFileSync(join(root, 'f', version, 'manifest.json'), '{}')
  }
  rmSync(join(root, 'f', '2.0', 'manifest.json'))
  mkdirSync(join(root, 'f', '.3.0.partial-abc'))
  writeFileSync(join(root, 'f', 'notes.txt'), '')
  const store = openStore(root)
  const versions = (models: readonly { version: string }[]): string[] => models.map(({ version }) => version)

  it('lists it among all models, but not among the usable ones', () => {
    expect(versions(store.list())).toEqual(['1.0'])
    expect(versions(store.listAll())).toEqual(['1.0', '2.0'])
  })

  it('finds it by its version, or where there is no other', () => {
    expect(store.find('f')?.version).toBe('1.0')
    expect(store.find('f', '2.0')?.version).toBe('2.0')
    expect(store.find('f', '3.0')).toBeUndefined()
    expect(store.find('f', 'notes.txt')).toBeUndefined()
    rmSync(join(root, 'f', '1.0', 'manifest.json'))
    expect(store.find('f')?.version).toBe('2.0')
  })
})
