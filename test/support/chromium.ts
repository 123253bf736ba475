// A real browser for the reports, headless: Debian's `chromium`, Chrome, or the one that LCCLF_CHROMIUM names.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * A browser, or undefined (said loudly) where there is none. Where CI is set that is an error, so that nobody takes a
 * skipped test for a passed one.
 */
export async function startChromium(): Promise<Browser | undefined> {
  const executablePath = process.env['LCCLF_CHROMIUM'] ?? findChromium()
  if (executablePath !== undefined) return chromium.launch({ executablePath })
  const why = `no Chromium for the tests: install one (apt-get install chromium) or name it with LCCLF_CHROMIUM`
  if (process.env['CI']) throw new Error(why)
  console.warn(why)
  return undefined
}

function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
