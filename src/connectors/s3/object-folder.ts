// The folder for objects that are read from the disk: one a process, removed with it.
import { rmSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { messageOf, ServiceError } from '../../errors.ts'
import { hasEnded, ownerHere, parseOwner } from '../../model/store/owner.ts'

const prefix = 'lcclf-s3-'
const ownerFile = 'owner.json'

let folder: Promise<string> | undefined
let objects = 0

/**
 * A folder that nobody has used.
 *
 * @throws ServiceError where temporary files cannot be made
 */
export async function newObjectFolder(): Promise<string> {
  try {
    // in a long run somebody may tidy up the temporary folder
    return await folderInside().catch(() => ((folder = undefined), folderInside()))
  } catch (cause) {
    folder = undefined
    throw new ServiceError(`the temporary folder ${tmpdir()} cannot be used: ${messageOf(cause)}`, {
      cause,
      hint: temporaryHint,
    })
  }
}

async function folderInside(): Promise<string> {
  folder ??= createFolder()
  return mkdtemp(join(await folder, `${++objects}-`))
}

/** What to do when the folder for temporary files is full or closed. */
export const temporaryHint =
  'Objects are read through temporary files, two at a time; TMPDIR names a folder where the two largest have room.'

async function createFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), prefix))
  // the second Ctrl-C ends the process where it stands
  process.once('exit', () => rmSync(path, { recursive: true, force: true }))
  await writeFile(join(path, ownerFile), JSON.stringify(ownerHere()))
  await removeLitter()
  return path
}

/** What runs that were killed left behind. */
async function removeLitter(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const path = join(tmpdir(), name)
    const owner = parseOwner(await readFile(join(path, ownerFile), 'utf8').catch(() => ''))
    if (owner && hasEnded(owner)) await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}
