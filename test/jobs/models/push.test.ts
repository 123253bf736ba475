import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../src/errors.ts'
import { openTarget } from '../../../src/jobs/models/push.ts'
import { openReader } from '../../../src/jobs/models/fetch-model.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const options = { allowHttp: false, environment: {} }

describe('an address for models', () => {
  it('with file: means the same folder for push and for pull', async () => {
    const folder = join(temporaryFolder(), 'my pub')
    for (const address of [pathToFileURL(folder).href, `FILE:${folder}`, folder]) {
      const target = await openTarget(address, options)
      await target.close()
      expect(target.address).toBe(folder)
      expect((await openReader(address, options)).address).toBe(folder)
    }
    expect(existsSync(folder)).toBe(true)
  })

  it.each(['ftp://me:hunter2@host/dav/', 'me:hunter2@host/dav/', 'file://me:hunter2@host/dav/'])(
    'is refused without showing its password: %s',
    async (address) => {
      for (const opening of [openTarget(address, options), openReader(address, options)]) {
        const error = await opening.then(
          () => expect.unreachable('it should have been refused'),
          (refusal: Error) => refusal,
        )
        expect(error).toBeInstanceOf(UsageError)
        expect(error.message).not.toContain('hunter2')
      }
    },
  )

  it('of a web server is refused for push without showing its password', async () => {
    await expect(openTarget('https://me:hunter2@host/dav/', options)).rejects.toThrow(
      /^https:\/\/me:\*\*\*@host\/dav\//,
    )
  })
})
