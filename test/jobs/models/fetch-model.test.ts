import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ModelError } from '../../../src/errors.ts'
import { fetchModel } from '../../../src/jobs/models/fetch-model.ts'
import { httpReader } from '../../../src/transfer/http-reader.ts'
import { startHttpModels, type HttpModels } from '../../support/http-models.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let server: HttpModels
let folder: string

beforeAll(async () => {
  server = await startHttpModels()
})

afterAll(() => server.close())

beforeEach(() => {
  server.fault = null
  folder = join(temporaryFolder(), 'download')
})

const fetch = (path: string) =>
  fetchModel(httpReader(new URL(path, server.url), { allowHttp: false }), folder, {}).catch((error: Error) => error)

describe('fetching a model', () => {
  it('never takes a login page for a model, whatever file was asked for', async () => {
    server.fault = (_, response) => !!response.writeHead(200).end('\n<!DOCTYPE html><title>Log in</title>')
    for (const path of ['models/', 'm.tar.gz']) {
      const error = await fetch(path)
      expect(error).toBeInstanceOf(ModelError)
      expect(error).toMatchObject({ message: expect.stringContaining('is a web page') })
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.pkl') || name.endsWith('.gz'))).toEqual([])
  })

  it.each([
    ['m.tar.gz', 'm.tar.gz'],
    ['index/', 'lcclf-index.json'],
    ['bundle/', 'manifest.json'],
  ])('keeps nothing of %s when it cannot be read', async (path, file) => {
    server.put(`/${path.endsWith('/') ? `${path}${file}` : path}`, 'two halves of two files')
    expect(await fetch(path)).toBeInstanceOf(ModelError)
    expect(existsSync(join(folder, file))).toBe(false)
  })
})
