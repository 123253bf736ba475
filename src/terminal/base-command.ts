// What all commands share: how an error ends, with the same exit code and sentence with and without --json.
import { Command } from '@oclif/core/command'
import { exitCodes, LcclfError, messageOf } from '../errors.ts'
import { failureLines, guardStandardStreams, print } from './standard-streams.ts'
import { harmless } from './text-table.ts'
import { bareMessage, usageOf } from './usage-errors.ts'

type Thrown = Error & { oclif?: { exit?: number } }
type Outcome = Pick<LcclfError, 'exitCode' | 'code' | 'message' | 'hint'>

/** Every command of lcclf extends this and throws the classes of errors.ts. */
export abstract class BaseCommand extends Command {
  protected override init(): Promise<void> {
    // again: oclif has added a listener of its own since its first hook
    guardStandardStreams()
    return super.init()
  }

  /** oclif would exit 1 with --json whatever the error says, so the end of a failed run is decided here. */
  protected override async catch(error: Thrown): Promise<void> {
    // a command line that cannot be parsed was not forgotten, of which oclif would warn
    this.parsed = true
    const outcome = this.outcomeOf(error)
    process.exitCode = outcome.exitCode
    this.say(outcome)
    if (process.env['DEBUG']?.includes('lcclf')) this.logToStderr(stackOf(error))
    if (!this.argv.includes('--json')) return
    const { code, message, hint } = outcome
    await print(`${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n`).catch((failed: Thrown) => {
      const second = this.outcomeOf(failed)
      process.exitCode = second.exitCode
      if (failed !== error && second.message !== message) this.say(second)
    })
  }

  private say({ message, hint }: Outcome): void {
    // a message may quote a manifest, a server or an id
    process.stderr.write(failureLines({ message: harmlessLines(message), hint: hint && harmlessLines(hint) }))
  }

  private outcomeOf(error: Thrown): Outcome {
    if (error instanceof LcclfError) {
      const { exitCode, code, message, hint } = error
      return { exitCode, code, message: bareMessage(message), hint }
    }
    // oclif's own errors are about the command line
    if (error.oclif?.exit !== undefined) {
      // a command that defines no flags has none, whatever oclif's types say
      const { flags = {} }: { flags?: object } = this.ctor
      const asked = { words: (this.id ?? '').replaceAll(':', ' '), flags: Object.keys(flags) }
      return { exitCode: error.oclif.exit, code: 'usage', ...usageOf(error, asked) }
    }
    return {
      exitCode: exitCodes.bug.exitCode,
      code: 'bug',
      message: `unexpected: ${messageOf(error).split('\n')[0]}`,
      hint: 'This is a bug in lcclf. DEBUG=lcclf shows where; please report it with that.',
    }
  }
}

function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n')
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`
}
