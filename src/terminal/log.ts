// Log lines on stderr: for people on a terminal, as JSON where a machine reads them.

/** How much a line matters. */
export type Severity = 'debug' | 'info' | 'warn' | 'error'

/** What a log line says beside its sentence. */
export type LogFields = Readonly<Record<string, unknown>>

/**
 * One line an event.
 *
 * @param isVerbose also what only helps to find a mistake
 */
export function createLog(stream: { readonly isTTY?: boolean; write(text: string): unknown }, isVerbose: boolean): Log {
  const lineOf = stream.isTTY === true ? textLine : jsonLine
  return logTo((severity, message, fields) => {
    if (severity !== 'debug' || isVerbose) stream.write(`${lineOf(severity, message, fields)}\n`)
  })
}

/** A log whose lines go to a function. */
export function logTo(write: (severity: Severity, message: string, fields: LogFields) => void) {
  const at =
    (severity: Severity) =>
    (message: string, fields: LogFields = {}): void =>
      write(severity, message, fields)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
/** See createLog. */
export type Log = ReturnType<typeof logTo>

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
