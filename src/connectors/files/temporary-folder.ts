// The folder for inputs that are read from the disk: one for each process, removed with it.
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, ServiceError } from '../../errors.ts'
import { hasEnded, ownerHere, parseOwner } from '../../owner.ts'

const prefix = 'lcclf-inputs-'
const ownerFile = 'owner.json'

let folder: Promise<string> | undefined
let made = 0

/**
 * A folder that nobody has used.
 *
 * @param hint what to do where temporary files cannot be made
 * @throws ServiceError
 */
export async function newTemporaryFolder(hint: string): Promise<string> {
  const inside = async (): Promise<string> => mkdtemp(join(await (folder ??= createFolder()), `${++made}-`))
  try {
    // in a long run somebody may tidy up the temporary folder
    return await inside().catch(() => ((folder = undefined), inside()))
  } catch (cause) {
    folder = undefined
    throw new ServiceError(`the temporary folder ${tmpdir()} cannot be used: ${messageOf(cause)}`, { cause, hint })
  }
}

async function createFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  // the second Ctrl-C ends the process where it stands
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  await writeFile(join(path, ownerFile), JSON.stringify(ownerHere()))
  // what runs that were killed left behind
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const litter = join(tmpdir(), name)
    const owner = parseOwner(await readFile(join(litter, ownerFile), 'utf8').catch(() => ''))
    if (owner && hasEnded(owner)) await rm(litter, { recursive: true, force: true }).catch(() => undefined)
  }
  return path
}
