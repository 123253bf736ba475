// Log lines on stderr: for people on a terminal, as JSON where a machine reads them.

type Severity = 'debug' | 'info' | 'warn' | 'error'

/** What a log line says beside its sentence. */
type LogFields = Readonly<Record<string, unknown>>

/**
 * One line an event.
 *
 * @param isVerbose also what only helps to find a mistake
 */
export function createLog(stream: NodeJS.WriteStream, isVerbose: boolean) {
  const lineOf = stream.isTTY ? textLine : jsonLine
  const write =
    (severity: Severity) =>
    (message: string, fields: LogFields = {}): void => {
      if (severity !== 'debug' || isVerbose) stream.write(`${lineOf(severity, message, fields)}\n`)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}
/** See createLog. */
export type Log = ReturnType<typeof createLog>

function jsonLine(level: Severity, message: string, fields: LogFields): string {
  return JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }, plain)
}

function textLine(level: Severity, message: string, fields: LogFields): string {
  const more = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value, plain)}`)
  return `${new Date().toISOString().slice(11, 19)} ${level === 'info' ? '' : `${level}: `}${message}${more.join('')}`
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
