// Apache Arrow, loaded where a bundle is read or written.
import { createRequire } from 'node:module'
import type * as ArrowModule from 'apache-arrow'

export type Arrow = typeof ArrowModule

/**
 * The library in its one-file form: loading it takes a third of the time of its 200 modules, and opening a bundle is
 * part of every run's start.
 */
export function loadArrow(): Arrow {
  return createRequire(import.meta.url)('apache-arrow/Arrow.esnext.min') as Arrow
}
