import { pause } from './kafka.ts'

/** Waits until something is so; how long does not matter, as long as it comes: a busy machine is no failure. */
export async function until(what: () => boolean | Promise<boolean>, timeoutMs = 90_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await what())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`)
    await pause(50)
  }
}
