// A bundle → one .tar.gz, the same bytes for the same bundle, there whole or not at all.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { LcclfError, messageOf, ServiceError, systemCode, UsageError } from '../../errors.ts'
import type { Manifest } from '../../model/bundle/manifest.ts'

/** The archive that was written. */
export interface PackedBundle {
  readonly file: string
  readonly size: number
  readonly sha256: string
}

/**
 * Packs the files that the manifest names, below a folder NAME_VERSION. No owner, no time and no order of the disk gets
 * into it.
 *
 * @param directory the bundle's folder, its files checked
 * @throws UsageError for a file that exists; ServiceError where it cannot be written
 */
export async function packBundle(
  directory: string,
  { name, version, files }: Manifest,
  { out, overwrite }: { out: string; overwrite: boolean },
): Promise<PackedBundle> {
  if (existsSync(out) && !overwrite) {
    throw new UsageError(`${out}: exists already`, { hint: 'Give another --out, or --overwrite.' })
  }
  const { create } = await import('tar')
  const partial = join(dirname(out), `.${basename(out)}.${process.pid}.partial`)
  try {
    const options = {
      file: partial,
      cwd: directory,
      gzip: { portable: true },
      portable: true,
      mtime: new Date(0),
      prefix: `${name}_${version}`,
      // the right of a file does not say anything about a model
      onWriteEntry: (entry: { stat?: { mode: number } }) => {
        if (entry.stat) entry.stat.mode = 0o100644
      },
    }
    await create(options, ['manifest.json', ...files.map(({ file }) => file)])
    const handle = await open(partial, 'r+')
    await handle.sync()
    await handle.close()
    const bytes = await readFile(partial)
    await rename(partial, out)
    return { file: out, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  } catch (cause) {
    await rm(partial, { force: true })
    if (cause instanceof LcclfError) throw cause
    throw new ServiceError(`${out}: cannot be written (${systemCode(cause) ?? messageOf(cause)})`, {
      cause,
      hint: 'Is there room on the disk, and may you write there?',
    })
  }
}
