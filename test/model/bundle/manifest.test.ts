import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { parseManifest } from '../../../src/model/bundle/manifest.ts'
import { samples } from '../../support/lcclf.ts'

const text = readFileSync(join(samples, 'model/manifest.json'), 'utf8')

describe('a manifest', () => {
  it.each([
    'manifest.json',
    'pulled.json',
    'PULLED.JSON',
    'lcclf-index.json',
    'x.arrow.part',
    'x.part.json',
    '',
    'a\u001b[2Jb',
  ])('that names %j as a file of its bundle is refused, without printing it raw', (file) => {
    const named = text.replace('"file": "forest.arrow"', `"file": ${JSON.stringify(file)}`)
    expect(() => parseManifest(named, 'm')).toThrow(ModelError)
    expect(() => parseManifest(named, 'm')).toThrow(/^m: invalid name of a file [\x20-\x7e]*$/)
  })

  it('may be made from a file of any name', () => {
    const { origin } = parseManifest(text, 'm')
    const named = text.replaceAll(`"file": "${origin[0]!.file}"`, '"file": "night.part1.pkl"')
    expect(parseManifest(named, 'm').origin[0]!.file).toBe('night.part1.pkl')
  })
})
