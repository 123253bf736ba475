// The collector, for memory that V8 does not see: it counts a handle, and not the megabytes behind it.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: ((options?: { type: 'minor' }) => void) | undefined

/** Collects the garbage of this thread now: all of it, or what is young, which takes a millisecond. */
export function collectGarbage(which: 'all' | 'young'): void {
  collect ??= exposedCollector()
  collect(which === 'young' ? { type: 'minor' } : undefined)
}

/** Node gives no other way to the collector once a program runs. */
function exposedCollector(): NonNullable<typeof collect> {
  setFlagsFromString('--expose-gc')
  const exposed: unknown = runInNewContext('gc')
  return typeof exposed === 'function' ? (options) => void exposed(options) : () => undefined
}
