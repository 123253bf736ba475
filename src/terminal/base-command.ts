// What all commands share: how an error ends, with the same exit code and sentence with and without --json.
import { Command } from '@oclif/core/command'
import { LcclfError, messageOf } from '../errors.ts'
import { harmless } from './text-table.ts'

/** Every command of lcclf extends this and throws the classes of errors.ts. */
export abstract class BaseCommand extends Command {
  /** A reader that has seen enough (`| head`) is success, for every command. */
  protected override init(): Promise<void> {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
    return super.init()
  }

  /** oclif would exit 1 with --json whatever the error says, so the end of a failed run is decided here. */
  protected override catch(error: Error & { oclif?: { exit?: number } }): Promise<void> {
    const outcome = outcomeOf(error)
    process.exitCode = outcome.exitCode
    if (this.argv.includes('--json')) {
      const { code, message, hint } = outcome
      this.log(JSON.stringify({ error: { code, message, hint: hint ?? null } }))
    }
    // a message may quote a manifest, a server or an id
    this.logToStderr(`lcclf: ${harmlessLines(outcome.message)}`)
    if (outcome.hint) this.logToStderr(`  ${harmlessLines(outcome.hint).replaceAll('\n', '\n  ')}`)
    if (process.env['DEBUG']?.includes('lcclf')) this.logToStderr(stackOf(error))
    return Promise.resolve()
  }
}

function harmlessLines(text: string): string {
  return text.split('\n').map(harmless).join('\n')
}

function outcomeOf(
  error: Error & { oclif?: { exit?: number } },
): Pick<LcclfError, 'exitCode' | 'code' | 'message' | 'hint'> {
  if (error instanceof LcclfError) return error
  // oclif's own errors are about the command line, and say what is wrong with it
  if (error.oclif?.exit !== undefined) {
    // its layout of a flag's value that does not fit: a line that says little, and a tab
    const message = error.message.replace(/^Parsing (--\S+) \n\t/, '$1: ')
    return { exitCode: error.oclif.exit, code: 'usage', hint: undefined, message }
  }
  return {
    exitCode: 1,
    code: 'bug',
    message: `unexpected: ${messageOf(error).split('\n')[0]}`,
    hint: 'This is a bug in lcclf. DEBUG=lcclf shows where; please report it with that.',
  }
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.stack ?? error.message
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`
}
