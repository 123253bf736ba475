// The story of `lcclf stream`: the plan, the log, the signals, and an end that nothing can hold up.
import { LcclfError } from '../../errors.ts'
import type { StreamFlags } from '../../terminal/flags.ts'
import { InterruptedError, watchInterrupts } from '../../terminal/interrupt.ts'
import { createLog } from '../../terminal/log.ts'
import { planConfigured } from './configured-plan.ts'
import { describeStream } from './plan.ts'
import { followPlan } from './run-stream.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Does what was typed and answers the exit code. Failures are lines in the log, JSON where no one sits in front of it. */
export async function stream(flags: StreamFlags): Promise<number> {
  const plan = await planConfigured(flags, process.env)
  if (flags.dryRun) {
    await print(describeStream(plan))
    return 0
  }
  const log = createLog(process.stderr, plan.isVerbose)
  const interrupts = watchInterrupts()
  try {
    await followPlan(plan, { log, interrupts, ownsProcess: true })
    return 0
  } catch (error) {
    if (!(error instanceof LcclfError)) throw error
    const { message, exitCode, code, hint } = error
    if (error instanceof InterruptedError) log.info(message, { exitCode })
    else log.error(message, { code, exitCode, hint })
    return exitCode
  } finally {
    interrupts.stop()
    // a connection to something that does not answer must not keep the process alive
    setTimeout(() => process.exit(), 500).unref()
  }
}
