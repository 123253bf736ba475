// What the doctor checks and finds, and how the checks are run: all at once, each within its time.
import { LcclfError, messageOf } from '../../errors.ts'

/** What one line says: what was found, without any secret, and what to do. */
export interface Finding {
  /** `not configured` is fine: nobody asked for it */
  readonly status: 'ok' | 'warning' | 'failed' | 'not configured'
  readonly message: string
  readonly hint?: string | undefined
}

export const ok = (message: string): Finding => ({ status: 'ok', message })
export const warning = (message: string, hint?: string): Finding => ({ status: 'warning', message, hint })
export const failed = (message: string, hint?: string): Finding => ({ status: 'failed', message, hint })

/** One thing to look at; its name is that of its lines. */
export interface Check {
  readonly name: string
  /** what the line is about, if the check has no time to say it itself; may be shown */
  readonly about?: string | undefined
  /** milliseconds it may take */
  readonly limitMs?: number
  /**
   * Whatever is thrown becomes a failed line.
   *
   * @param signal comes when the time is over: give up, and leave nothing open
   */
  look(signal: AbortSignal): Promise<Finding | readonly Finding[]>
}

/** A finding with the name of its check. */
export type Line = Finding & Pick<Check, 'name'>

const usualLimitMs = 10_000

/**
 * Runs all checks and returns their findings in the same order. A check that throws or hangs is a failed line.
 *
 * @param waiting what reaches out to others, done at once
 * @param working what keeps this thread busy, and would delay the others: done afterwards, one by one
 */
export async function runChecks(waiting: readonly Check[], working: readonly Check[]): Promise<readonly Line[]> {
  const found = await Promise.all(waiting.map(linesOf))
  for (const check of working) found.push(await linesOf(check))
  return found.flat()
}

async function linesOf(check: Check): Promise<readonly Line[]> {
  const { name, about, limitMs = usualLimitMs } = check
  const controller = new AbortController()
  const subject = about === undefined ? '' : `${about}: `
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    timer = setTimeout(() => {
      resolve(failed(`${subject}no answer within ${limitMs / 1000} s`, 'Is it running, and reachable from here?'))
      controller.abort()
    }, limitMs)
  })
  try {
    const looking = check.look(controller.signal)
    // what comes after the time is over does not matter
    looking.catch(() => undefined)
    return [await Promise.race([looking, late])].flat().map((finding) => ({ name, ...finding }))
  } catch (thrown) {
    if (thrown instanceof LcclfError) return [{ name, ...failed(thrown.message, thrown.hint) }]
    const message = `${subject}unexpected: ${messageOf(thrown).split('\n', 1)[0]!}`
    return [{ name, ...failed(message, 'This is a bug in lcclf: please report it.') }]
  } finally {
    clearTimeout(timer)
  }
}
