// Folders for one test file, which are gone when it has ended.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folders = new Set<string>()

/** A new folder, removed after the last test of the file; whoever wants it gone before may remove it. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'test-'))
  folders.add(folder)
  return folder
}

/** Called after every test file, see `remove-temporary-folders.ts`. */
export function removeTemporaryFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  folders.clear()
}

// where every test of a file is skipped nothing is called after them, and vitest ends its processes by a signal
process.once('exit', removeTemporaryFolders)
process.once('SIGTERM', () => process.exit())
