// A file or folder that was named: can it be read, can it be written?
import { access, constants, open, readdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf, systemCode } from '../../errors.ts'
import type { Check, Finding } from './check.ts'
import { nearestFolder, whyNotWritable } from './disk-check.ts'
import { byteText } from '../../formats/byte-text.ts'

/** A path that exists must be readable; of one that does not, who knows: an input is missing, the folder of an output must be writable. */
export function pathCheck(path: string): Check {
  const name = 'files'
  const failed = (message: string, hint: string): Finding => ({ name, status: 'failed', message, hint })
  return {
    name,
    about: path,
    async look() {
      const found = await stat(path).catch(() => undefined)
      if (!found) {
        const folder = await nearestFolder(dirname(path))
        const problem = await whyNotWritable(folder)
        const message = `${path}: there is no such file`
        if (problem === undefined) {
          return [
            { name, status: 'warning', message: `${message}: as an input it is missing; as an output it can be made` },
          ]
        }
        return [failed(`${message}, and it cannot be made (${problem})`, `See the rights of ${folder}.`)]
      }
      const problem = found.isDirectory() ? await whyNotListed(path) : await whyNotReadable(path)
      if (problem !== undefined) return [failed(`${path}: cannot be read (${problem})`, 'See its rights.')]
      const isWritable = found.isDirectory()
        ? (await whyNotWritable(path)) === undefined
        : await access(path, constants.W_OK).then(
            () => true,
            () => false,
          )
      const what = found.isDirectory() ? 'a folder' : byteText(found.size)
      return [{ name, status: 'ok', message: `${path}: ${what}, readable${isWritable ? ' and writable' : ' only'}` }]
    },
  }
}

async function whyNotReadable(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r')
    await file.close()
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}

async function whyNotListed(path: string): Promise<string | undefined> {
  try {
    await readdir(path)
    return undefined
  } catch (error) {
    return systemCode(error) ?? messageOf(error)
  }
}
