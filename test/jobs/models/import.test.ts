import { describe, expect, it } from 'vitest'
import { importFiles } from '../../../src/jobs/models/import.ts'
import { UsageError } from '../../../src/errors.ts'

describe('model import', () => {
  it.each(['https://me:geheim@example.org/models/', 's3://bucket/models/', 'ftp://me:geheim@example.org/m.onnx'])(
    'leaves addresses to model pull, and shows no password: %s',
    async (source) => {
      const flags = { source, name: 'm', version: '1' }
      const thrown: unknown = await importFiles({
        ...flags,
        acceptSwapped: false,
        overwrite: false,
        quiet: true,
        json: false,
      }).catch((error: unknown) => error)
      expect(thrown).toBeInstanceOf(UsageError)
      expect(thrown).toMatchObject({ hint: expect.stringContaining('lcclf model pull') as string })
      expect(String(thrown)).not.toContain('geheim')
    },
  )
})
