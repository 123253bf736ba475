// The files of a bundle that was fetched → another folder of this machine.
import { copyFile, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ModelError } from '../../errors.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'

/**
 * Copies what the manifest names, and nothing else; the files are on the disk when it answers.
 *
 * @throws ModelError naming a file that is missing
 */
export async function copyBundle(from: string, to: string): Promise<void> {
  const { manifest } = await readManifest(from)
  for (const file of ['manifest.json', ...manifest.files.map((digest) => digest.file)]) {
    const target = join(to, file)
    try {
      await copyFile(join(from, file), target)
    } catch (cause) {
      throw new ModelError(`${file}: the manifest names it, but it is missing`, { cause })
    }
    const handle = await open(target, 'r+')
    await handle.sync().finally(() => handle.close())
  }
}
