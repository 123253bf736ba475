// A broker that was frozen or has just begun takes no partitions until its controller has heard of it again.
import { setTimeout as pause } from 'node:timers/promises'
import { inspect } from 'node:util'

/** Repeats work that such a broker refuses. */
export async function onceUnfenced(work: () => Promise<unknown>, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    try {
      await work()
      return
    } catch (error) {
      if (
        Date.now() > deadline ||
        !/INVALID_REPLICATION_FACTOR|Replication factor is/.test(inspect(error, { depth: 5 }))
      )
        throw error
      await pause(200)
    }
  }
}
