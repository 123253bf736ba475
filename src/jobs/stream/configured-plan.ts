// `--config FILE.yaml` and `CONFIG_FROM_YAML` → the plan of a stream.
import { createReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { ErrorCode } from 'yaml'
import { type Environment, filled } from '../../connectors/kafka/address.ts'
import { UsageError, whyUnreadable } from '../../errors.ts'
import { type ConfigSettings, settingsOf } from './config-settings.ts'
import { planStream, type StreamAsked, type StreamPlan } from './plan.ts'

/**
 * Decides what a stream does, with the settings of a file where one is named. No message has a value from the file.
 *
 * @throws UsageError for a file that cannot be read, is no UTF-8 or no YAML, or is larger than 64 kB; as settingsOf
 *   and planStream, whose names of the environment become the file's keys
 */
export async function planConfigured(
  { config, ...flags }: StreamAsked & { readonly config?: string | undefined },
  environment: Environment,
): Promise<StreamPlan> {
  const file = config ?? fileNamedBy(environment)
  if (file === undefined) return planStream(flags, environment)
  const settings = settingsOf(file, await readYaml(file), environment)
  try {
    const plan = planStream(flags, settings.environment)
    const notes = plan.notes.map((note) => inKeysOf(settings, note))
    return { ...plan, settingsFrom: file, notes: [...settings.notes, ...notes] }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    const hint = error.hint === undefined ? undefined : inKeysOf(settings, error.hint)
    throw new UsageError(`${file}: ${inKeysOf(settings, error.message)}`, { cause: error.cause, hint })
  }
}

/** The steps take any word for yes; here a word that is no path must mean it. */
function fileNamedBy(environment: Environment): string | undefined {
  const word = filled(environment['CONFIG_FROM_YAML'])
  if (word === undefined) return undefined
  if (/^(?:yes|true|on|1)$/i.test(word)) return '/config/config.yaml'
  if (/[/\\.]/.test(word)) return word
  throw new UsageError(`CONFIG_FROM_YAML=${word}: expected yes, which is /config/config.yaml, or the path of a file`, {
    hint: 'Without a file, leave it out.',
  })
}

/** `CONSUMER_SERVER` → `CONSUMER_CONFIG.PARAMS.bootstrap.servers`. */
function inKeysOf({ keys }: ConfigSettings, sentence: string): string {
  return sentence.replace(/\b[A-Z][A-Z_]+\b/g, (name) => keys.get(name) ?? name)
}

/** twenty times the survey's: the parser takes minutes for a megabyte of keys */
const mostBytes = 64_000
/** aliases that one anchor may have: production's files have none, and a bomb needs thousands */
const mostAliases = 100

async function readYaml(file: string): Promise<unknown> {
  const text = await readText(file)
  const { LineCounter, parseDocument } = await import('yaml')
  const lineCounter = new LineCounter()
  // as PyYAML reads it: 1.1, in which yes is true; whole numbers keep all their digits
  const options = { version: '1.1', intAsBigInt: true, prettyErrors: false, logLevel: 'silent', lineCounter } as const
  const document = parseDocument(text, options)
  const problem = [...document.errors, ...document.warnings][0]
  if (problem) {
    const { line } = lineCounter.linePos(problem.pos[0])
    throw new UsageError(`${file}: not valid YAML: line ${line}: ${wordsOf(problem.code)}`)
  }
  try {
    return document.toJS({ maxAliasCount: mostAliases }) as unknown
  } catch (cause) {
    const why = cause instanceof ReferenceError ? 'an alias is unknown, or repeats too much' : 'it is nested too deeply'
    throw new UsageError(`${file}: not valid YAML: ${why}`)
  }
}

/** The library's own sentence may have a piece of the line in it, and with it a password. */
function wordsOf(code: ErrorCode): string {
  const known: Partial<Record<ErrorCode, string>> = {
    DUPLICATE_KEY: 'the key is there twice',
    MULTIPLE_DOCS: 'a second document begins',
    TAG_RESOLVE_FAILED: 'a tag that is not known',
    RESOURCE_EXHAUSTION: 'it is nested too deeply',
    TAB_AS_INDENT: 'a tab as indentation',
    MISSING_CHAR: 'a character is missing; put ${NAME} inside [ ] or { } in quotes',
  }
  return known[code] ?? code.toLowerCase().replaceAll('_', ' ')
}

/** No more than it may have, also of a file that has no size. */
async function readText(file: string): Promise<string> {
  const refuse = (why: string, cause?: unknown): never => {
    throw new UsageError(`${file}: ${why}`, { cause })
  }
  const bytes = await buffer(createReadStream(file, { end: mostBytes })).catch((cause: unknown) =>
    refuse(`cannot be read (${whyUnreadable(cause)})`, cause),
  )
  if (bytes.length > mostBytes) refuse('is larger than 64 kB, too much for settings')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    return refuse('is not UTF-8 text', cause)
  }
}
