// Young garbage, collected before it is much: chunks of DuckDB hold memory that V8 does not see.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** So many calls to one collection: fewer save little time, more let some 20 MB of chunks pile up for each. */
const callsACollection = 4

let calls = 0
let collect: ((options: { type: 'minor' }) => void) | undefined

/**
 * Called for each chunk. Measured on 1,000,000 rows × 152 columns: 80 MB less at the peak, at no loss of speed.
 */
export function collectGarbageSoon(): void {
  if (++calls % callsACollection !== 0) return
  collect ??= exposedCollector()
  collect({ type: 'minor' })
}

/** Node gives no other way to the collector once a program runs. */
function exposedCollector(): (options: { type: 'minor' }) => void {
  setFlagsFromString('--expose-gc')
  const exposed: unknown = runInNewContext('gc')
  return typeof exposed === 'function' ? (options) => void exposed(options) : () => undefined
}
