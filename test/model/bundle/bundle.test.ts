// A bundle's folder: read back as it was written, and never believed when it is damaged.
import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tableFromIPC } from 'apache-arrow'
import { beforeAll, describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { encodeLeaves, encodeNodes } from '../../../src/model/bundle/arrow-files.ts'
import { findBrokenTree, findUnsafeNode, type Forest } from '../../../src/model/bundle/forest.ts'
import { goldenMatrix } from '../../../src/model/bundle/golden.ts'
import { importModel } from '../../../src/model/import-model.ts'
import type { Manifest } from '../../../src/model/bundle/manifest.ts'
import { readBundle } from '../../../src/model/bundle/read-bundle.ts'
import { verifyBundle } from '../../../src/model/bundle/verify-bundle.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { smallFeatures, unpackFixture, unpackSmallForest } from '../../support/fixture-folders.ts'

let source: string
let bundle: string

beforeAll(async () => {
  source = unpackFixture('sklearn-1.5.2')
  bundle = join(temporaryFolder(), 'bundle')
  await importModel({ source, name: 'hrf', version: '1.0.0', out: bundle, goldenDir: source })
})

/** A copy of the bundle to damage. */
function copyOfBundle(): string {
  const folder = temporaryFolder()
  for (const name of readdirSync(bundle)) copyFileSync(join(bundle, name), join(folder, name))
  return folder
}

function changeManifest(folder: string, change: (manifest: Record<string, unknown>) => void): void {
  const path = join(folder, 'manifest.json')
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
  change(manifest)
  writeFileSync(path, JSON.stringify(manifest))
}

/** Puts a file into a bundle and its checksum into the manifest, as somebody with bad intentions would. */
function forge(folder: string, file: string, bytes: Uint8Array): void {
  writeFileSync(join(folder, file), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  changeManifest(folder, (manifest) => {
    const files = manifest['files'] as Manifest['files']
    manifest['files'] = files.map((entry) => (entry.file === file ? { file, sha256, size: bytes.length } : entry))
  })
}

describe('a bundle', () => {
  it('is read back: manifest, forests and golden answers', async () => {
    const { manifest, sha256, forests, golden } = await readBundle(bundle)
    expect(sha256).toBe(
      createHash('sha256')
        .update(readFileSync(join(bundle, 'manifest.json')))
        .digest('hex'),
    )
    expect(forests.map(({ feature }) => feature.length)).toEqual(manifest.levels.map(({ nodes }) => nodes))
    expect(forests.map(({ roots }) => roots.length)).toEqual([12, 12, 12, 12])
    expect(forests.map((forest) => findBrokenTree(forest))).toEqual([null, null, null, null])
    expect(golden.rowCount).toBe(240)
    expect(golden.expected.map(({ classifierName }) => classifierName)).toContain('lc_classifier_top')
  })

  it('keeps golden inputs as they were: null, infinities, huge values and both zeros', async () => {
    const { manifest, golden } = await readBundle(bundle)
    const values = new Set(golden.inputs)
    expect([NaN, Infinity, -Infinity, 1e33].filter((value) => !values.has(value))).toEqual([])
    const matrix = goldenMatrix(golden, manifest.preprocessing)
    expect(matrix.every((value) => Number.isFinite(value))).toBe(true)
    expect(matrix).toHaveLength(240 * 152)
  })

  it('can be read by others: one batch a level, one row a node, nulls where a value is missing', () => {
    const nodes = tableFromIPC(readFileSync(join(bundle, 'forest.arrow')))
    expect(nodes.schema.fields.map(({ name, type }) => `${name} ${String(type)}`)).toEqual([
      'level Uint8',
      'tree Uint16',
      'feature Int16',
      'threshold Float64',
      'left Uint32',
      'leaf Uint32',
    ])
    expect(nodes.batches).toHaveLength(4)
    const leaves = tableFromIPC(readFileSync(join(bundle, 'leaves.arrow')))
    expect(String(leaves.schema.fields[1]!.type)).toBe('List<Float64>')
    const golden = tableFromIPC(readFileSync(join(bundle, 'golden.arrow')))
    expect(golden.schema.fields.at(-1)!.name).toBe('lc_classifier_transient/SNIbc')
    expect(golden.getChild('Amplitude_1')!.nullCount).toBeGreaterThan(0)
  })

  it('has views of the file for its arrays, not copies', async () => {
    const { forests } = await readBundle(bundle)
    expect(forests[0]!.threshold.buffer).toBe(forests[3]!.left.buffer)
  })
})

describe('a damaged bundle', () => {
  it.each(['forest.arrow', 'leaves.arrow', 'golden.arrow'])('with one bit of %s changed is refused', async (file) => {
    const folder = copyOfBundle()
    const bytes = readFileSync(join(folder, file))
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(join(folder, file), bytes)
    await expect(readBundle(folder)).rejects.toThrow(`${file}: its sha256 is`)
  })

  it('with a file cut off, or of garbage, under a forged checksum is refused', async () => {
    for (const file of ['forest.arrow', 'leaves.arrow', 'golden.arrow']) {
      const whole = readFileSync(join(bundle, file))
      for (const bytes of [whole.subarray(0, whole.length >> 1), Buffer.from('ARROW1 no'), Buffer.alloc(64)]) {
        const folder = copyOfBundle()
        forge(folder, file, bytes)
        await expect(readBundle(folder)).rejects.toThrow(ModelError)
      }
    }
  })

  it.each<[string, (forest: Forest) => void, string]>([
    ['a child beyond its tree', ({ left }) => (left[0] = 0xffff_ffff), 'has its children at 4294967295'],
    ['a child in the next tree', (forest) => (forest.left[0] = forest.roots[1]!), 'outside its tree'],
    [
      'a child before itself',
      ({ left, feature }) => (left[feature.findIndex((f, i) => f >= 0 && i > 5)] = 1),
      'outside its tree',
    ],
    ['a feature beyond the list', ({ feature }) => (feature[0] = 152), 'asks for feature 152 of 152'],
    ['a feature of −2', ({ feature }) => (feature[0] = -2), 'asks for feature -2'],
    ['a leaf beyond the table', ({ leaf }) => (leaf[1] = 0x8000_0000), 'names leaf distribution 2147483648'],
  ])('with %s is refused, whatever its checksums say', async (_, damage, message) => {
    const { forests } = await readBundle(bundle)
    damage(forests[2]!)
    expect(findUnsafeNode(forests[2]!, 152)).toContain(message)
    const folder = copyOfBundle()
    forge(folder, 'forest.arrow', encodeNodes(forests))
    await expect(readBundle(folder)).rejects.toThrow('level periodic: node')
  })

  it.each<[string, (manifest: Record<string, unknown>) => void, string]>([
    ['another format', (m) => (m['formatVersion'] = 3), 'format version 3'],
    ['no levels', (m) => (m['levels'] = []), 'invalid top level'],
    [
      'a file outside its folder',
      (m) => (m['files'] = [{ file: '../x', sha256: '0'.repeat(64), size: 1 }]),
      'name or sha256',
    ],
    ['no files', (m) => (m['files'] = []), 'names no golden.arrow'],
    ['a branch less', (m) => (m['levels'] as unknown[]).pop(), 'invalid branches of the taxonomy'],
    [
      'a class less',
      (m) => (m['levels'] as { classes: string[] }[])[1]!.classes.pop(),
      'invalid classes of branch Stochastic',
    ],
    ['a feature twice', (m) => ((m['features'] as string[])[1] = (m['features'] as string[])[0]!), 'features'],
    ['a tree more', (m) => ((m['levels'] as { trees: number }[])[0]!.trees = 13), 'does not hold the 13 trees'],
    ['a feature less', (m) => (m['features'] as string[]).pop(), 'are not the features and classes'],
  ])('with %s in its manifest is refused', async (_, change, message) => {
    const folder = copyOfBundle()
    changeManifest(folder, change)
    await expect(readBundle(folder)).rejects.toThrow(message)
  })

  it('of the first format is refused where its forest knows missing values, and only there', async () => {
    const { pickle, folder } = unpackSmallForest('1.7', 'missing-values')
    const out = join(folder, 'bundle')
    await importModel({ source: pickle, name: 'small', version: '1', out, features: smallFeatures })
    const trainedBy = (version: string) =>
      changeManifest(out, (manifest) => {
        manifest['formatVersion'] = 1
        manifest['preprocessing'] = { missing: -999, hugeAbove: 1e32, huge: 0 }
        manifest['trainedBy'] = { library: 'scikit-learn', version }
      })
    trainedBy('1.7.2')
    await expect(readBundle(out)).rejects.toMatchObject({
      message: expect.stringContaining('made before lcclf knew how scikit-learn 1.7.2 treats missing values') as string,
      hint: 'Import the model again with lcclf model import.',
    })
    trainedBy('1.3.2')
    expect((await readBundle(out)).manifest.preprocessing.missing).toBe(-999)
  })

  it('is not a bundle at all without a manifest', async () => {
    await expect(readBundle(temporaryFolder())).rejects.toThrow('is not a bundle')
  })
})

describe('verify', () => {
  const failed = async (folder: string) =>
    (await verifyBundle(folder)).checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`)

  it('finds nothing wrong with a good bundle', async () => {
    const { checks, bundle: opened } = await verifyBundle(bundle)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect(checks.map(({ name }) => name)).toEqual([
      'manifest',
      'checksum forest.arrow',
      'checksum leaves.arrow',
      'checksum covers.arrow',
      'checksum golden.arrow',
      'contents',
      'structure top',
      'structure stochastic',
      'structure periodic',
      'structure transient',
      'golden answers (plain evaluation)',
    ])
    expect(opened?.manifest.name).toBe('hrf')
  })

  it('names the file whose checksum is wrong', async () => {
    const folder = copyOfBundle()
    writeFileSync(join(folder, 'leaves.arrow'), 'x')
    expect((await failed(folder)).join()).toContain('checksum leaves.arrow')
  })

  it.each<[string, (forest: Forest) => void, string]>([
    ['a node that is reached twice', (f) => (f.left[2] = f.left[1]!), 'structure top: node 3 is reached twice'],
    ['a threshold that is not a number', ({ threshold }) => (threshold[0] = NaN), 'threshold of node 0'],
    ['a leaf off by 1e-11', ({ leaves }) => (leaves[0]! += 1e-11), 'do not sum to 1'],
    ['another threshold', ({ threshold }) => (threshold[0] = 1e30), 'golden answers (plain evaluation): '],
  ])('finds %s', async (_, damage, message) => {
    const { forests } = await readBundle(bundle)
    damage(forests[0]!)
    const folder = copyOfBundle()
    forge(folder, 'forest.arrow', encodeNodes(forests))
    forge(folder, 'leaves.arrow', encodeLeaves(forests))
    expect((await failed(folder)).join()).toContain(message)
  })
})
