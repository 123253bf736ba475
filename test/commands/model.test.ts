import { copyFileSync, cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { unprovedModel } from '../support/unproved-model.ts'

const fixtures = fileURLToPath(new URL('../fixtures/model', import.meta.url))
const parquet = join(samples, 'ztf-300.parquet')
let work: string

beforeEach(() => {
  work = temporaryFolder()
})

/** the pickles of one scikit-learn, unpacked into a folder */
function pickles(version: string): string {
  const packed = join(fixtures, `sklearn-${version}`)
  for (const name of readdirSync(packed)) {
    if (!name.endsWith('.gz')) copyFileSync(join(packed, name), join(work, name))
    else writeFileSync(join(work, name.slice(0, -3)), gunzipSync(readFileSync(join(packed, name))))
  }
  return work
}

const named = ['--name', 'hierarchical_random_forest', '--version', '1.0.0']

describe('lcclf model', () => {
  it('imports pickles into the store, where they are found by name', async () => {
    const folder = pickles('0.22.2')
    const env = { LCCLF_HOME: join(work, 'home') }
    const imported = await hostedLcclf(['model', 'import', folder, ...named, '--golden', folder, '--json'], { env })
    expect(imported.code).toBe(0)
    expect(imported.stderr).toContain('240 rows from scikit-learn 0.22.2')
    expect(JSON.parse(imported.stdout)).toMatchObject({ name: 'hierarchical_random_forest', version: '1.0.0' })
    for (const model of ['hierarchical_random_forest', 'hierarchical_random_forest@1.0.0']) {
      const { code, stdout } = await hostedLcclf(['classify', parquet, '--limit', '1', '-m', model, '-q'], { env })
      expect([model, code]).toEqual([model, 0])
      expect(stdout).toContain(',hierarchical_random_forest_1.0.0,')
    }
    const again = await hostedLcclf(['model', 'import', folder, ...named, '--golden', folder], { env })
    expect(again.code).toBe(2)
    expect(again.stderr).toContain('--overwrite')
    const absent = await hostedLcclf(['classify', parquet, '-m', 'other', '--to', 'x.csv'], { env, cwd: work })
    expect(absent.code).toBe(4)
    expect(absent.stderr).toContain('hierarchical_random_forest@1.0.0')
  })

  it('refuses a pickle that would run something, by name, and leaves nothing behind', async () => {
    const folder = pickles('0.22.2')
    const evil = "cposix\nsystem\n(S'echo owned > owned.txt'\ntR."
    writeFileSync(join(folder, 'transient_level_RF_model.pkl'), evil)
    const { code, stderr } = await hostedLcclf(['model', 'import', folder, ...named, '--out', 'bundle'], { cwd: work })
    expect(code).toBe(4)
    expect(stderr).toContain('posix.system')
    expect(existsSync(join(work, 'bundle'))).toBe(false)
    expect(existsSync(join(work, 'owned.txt'))).toBe(false)
  })

  it('names swapped files for what they hold, and corrects them if told to', async () => {
    const folder = pickles('0.22.2')
    const [a, b] = ['stochastic', 'transient'].map((level) => join(folder, `${level}_level_RF_model.pkl`)) as [
      string,
      string,
    ]
    const kept = readFileSync(a)
    copyFileSync(b, a)
    writeFileSync(b, kept)
    const refused = await hostedLcclf(['model', 'import', folder, ...named, '--out', 'bundle', '--golden', folder], {
      cwd: work,
    })
    expect(refused.code).toBe(4)
    expect(refused.stderr).toMatch(/stochastic_level_RF_model\.pkl.*Transient/s)
    const accepted = await hostedLcclf(
      ['model', 'import', folder, ...named, '--out', 'bundle', '--golden', folder, '--accept-swapped'],
      { cwd: work },
    )
    expect(accepted.code).toBe(0)
  })

  it('never uses a bundle that was damaged', async () => {
    cpSync(join(samples, 'model'), join(work, 'bundle'), { recursive: true })
    const file = join(work, 'bundle/forest.arrow')
    const bytes = readFileSync(file)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(file, bytes)
    const used = await hostedLcclf(['classify', parquet, '-m', 'bundle', '--to', 'x.csv'], { cwd: work })
    expect(used.code).toBe(4)
    expect(used.stderr).toContain('forest.arrow')
    const verified = await hostedLcclf(['model', 'verify', 'bundle', '--json'], { cwd: work })
    expect(verified.code).toBe(4)
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: false, exitCode: 4 })
    expect(readdirSync(work)).toEqual(['bundle'])
  })

  it.each(['a.csv', 'a.parquet', '-'])(
    'never writes answers of a bundle that does not prove itself, to %s',
    async (to) => {
      unprovedModel(join(work, 'bundle'))
      const used = await hostedLcclf(['classify', parquet, '-m', 'bundle', '--to', to], { cwd: work })
      expect(used).toMatchObject({ code: 4, stdout: '' })
      expect(used.stderr).toMatch(/bundle: the golden answers are not reproduced: .* 1 of \d+ not equal in every bit/)
      expect(readdirSync(work)).toEqual(['bundle'])
    },
  )

  it('shows and lists what a manifest says without doing it to the terminal', async () => {
    const bundle = join(work, 'home/models/odd/1')
    cpSync(join(samples, 'model'), bundle, { recursive: true })
    const manifest = join(bundle, 'manifest.json')
    const text = readFileSync(manifest, 'utf8')
    writeFileSync(manifest, text.replace('"library": "', '"library": "\\u001b[2J\\u0007'))
    for (const args of [['show', 'odd'], ['list']]) {
      const { code, stdout } = await hostedLcclf(['model', ...args], { env: { LCCLF_HOME: join(work, 'home') } })
      expect([args, code, stdout]).toEqual([args, 0, expect.stringContaining('scikit-learn')])
      expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
    }
  })

  it('verifies the sample model through both engines', async () => {
    const { code, stdout } = await hostedLcclf(['model', 'verify', join(samples, 'model')], {
      env: { LCCLF_HOME: work },
    })
    expect(code).toBe(0)
    expect(stdout).toContain('golden answers by --engine forest: 240 rows, every probability equal in every bit')
    expect(stdout).toMatch(
      /ok +golden answers by --engine onnx: 240 rows, every probability within 1e-6, but \d+ of 7920 not equal in every bit; the largest difference is \d\.\d\de-\d+, in row/,
    )
    expect(stdout).not.toContain('differ in')
  })

  it('says of a path that is no bundle whether it is there, and what it is', async () => {
    const folder = pickles('0.22.2')
    const env = { LCCLF_HOME: join(work, 'home') }
    const absent = join(work, 'absent')
    const empty = temporaryFolder()
    const refusal = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await hostedLcclf(args, { env })
      expect(code).toBe(4)
      return stderr
    }
    const importing = (source: string) => refusal('model', 'import', source, ...named)
    expect(await importing(absent)).toContain(`lcclf: ${absent}: there is no such file or folder\n`)
    expect(await importing(`${absent}.onnx`)).toContain('absent.onnx: cannot be read (there is no such file)')
    expect(await importing(empty)).toContain(`${empty}: holds no pickles`)
    expect(await importing(join(samples, 'model'))).toContain('is a bundle already')
    for (const command of [
      ['classify', parquet, '--model'],
      ['model', 'show'],
      ['model', 'verify'],
    ]) {
      const using = (reference: string) => refusal(...command, reference)
      const ofPickles = await using(`${folder}/`)
      expect(ofPickles).toContain('the folder holds pickles, and must be imported first')
      expect(ofPickles).toContain(`lcclf model import ${folder}/ --name NAME --version VERSION`)
      expect(await using(join(folder, 'features_RF_model.pkl'))).toContain('the file is a pickle')
      expect(await using(absent)).toContain('absent: not found; there is no such folder')
      expect(await using(empty)).toContain('not found; the folder has no manifest.json')
      expect(await using(parquet)).toContain('not found; it is a file')
      expect(await using('absent')).toContain('model absent: not found\n')
    }
  })

  it('exports one ONNX graph, imports it again, and classifies with it', async () => {
    const model = join(samples, 'model')
    const exported = await hostedLcclf(['model', 'export', model, '--format', 'onnx', '--out', 'h.onnx'], { cwd: work })
    expect(exported.code).toBe(0)
    const imported = await hostedLcclf(['model', 'import', 'h.onnx', '--name', 'h', '--version', '1', '--out', 'h'], {
      cwd: work,
    })
    expect(imported.code).toBe(0)
    const classes = async (args: string[]) => {
      const { stdout } = await hostedLcclf(['classify', parquet, '-q', ...args], {
        cwd: work,
        env: { LCCLF_HOME: work },
      })
      return stdout.split('\n').map((line) => line.split(',')[2])
    }
    const forest = await classes(['-m', model])
    expect(await classes(['-m', 'h'])).toEqual(forest)
    expect(await classes(['-m', model, '--engine', 'onnx'])).toEqual(forest)
    expect((await hostedLcclf(['classify', parquet, '-m', 'h', '--engine', 'forest'], { cwd: work })).code).toBe(2)
  })
})
