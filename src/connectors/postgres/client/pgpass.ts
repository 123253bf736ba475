// Passwords from ~/.pgpass, by libpq's rules.
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Whom the password is for. */
interface PasswordUse {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/**
 * The password of the first line that fits: `host:port:database:user:password`, `*` fits anything, `\:` and `\\` are
 * literal. As libpq does, a file that others may read is passed over.
 *
 * @param env PGPASSFILE names another file
 */
export function passwordFromFile(
  use: PasswordUse,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const path = env['PGPASSFILE'] || join(env['HOME'] || homedir(), '.pgpass')
  const text = readPrivateFile(path)
  return text === undefined ? undefined : passwordIn(text, use)
}

function readPrivateFile(path: string): string | undefined {
  try {
    const { mode } = statSync(path)
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) return undefined
    return readFileSync(path, 'utf8')
  } catch {
    // no file, or none that we may read: then there is no password in it for us
    return undefined
  }
}

/** The same for the text of such a file. */
export function passwordIn(text: string, { host, port, database, user }: PasswordUse): string | undefined {
  const wanted = [host.startsWith('/') ? 'localhost' : host, String(port), database, user]
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue
    const fields = fieldsOf(line)
    if (fields.length < 5) continue
    if (wanted.every((value, i) => fields[i] === '*' || unescaped(fields[i]!) === value)) return unescaped(fields[4]!)
  }
  return undefined
}

/** the first four fields as they are written, and the rest of the line */
function fieldsOf(line: string): string[] {
  const fields: string[] = []
  let start = 0
  for (let i = 0; i < line.length && fields.length < 4; i++) {
    if (line[i] === '\\') i++
    else if (line[i] === ':') {
      fields.push(line.slice(start, i))
      start = i + 1
    }
  }
  fields.push(line.slice(start))
  return fields
}

function unescaped(field: string): string {
  return field.replace(/\\(.)/g, '$1')
}
