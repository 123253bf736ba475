// The Arrow library, loaded when the first file needs it.
import { createRequire } from 'node:module'
import type * as Arrow from 'apache-arrow'

export type ArrowLibrary = typeof Arrow

/**
 * The library in its one-file form: loading it takes a third of the time of its 200 modules, and opening a bundle is
 * part of every run's start.
 */
export function loadArrow(): ArrowLibrary {
  return createRequire(import.meta.url)('apache-arrow/Arrow.esnext.min') as ArrowLibrary
}
