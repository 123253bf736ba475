// A Postgres address into its parts. People type passwords and SQL as they are, so it forgives what URL parsers refuse.
import { UsageError } from '../../errors.ts'

/** The parts of an address, decoded; undefined where the address does not have them. */
export interface AddressParts {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly host: string | undefined
  readonly port: string | undefined
  readonly database: string | undefined
  readonly parameters: ReadonlyMap<string, string>
  /** nothing before the parameters: the environment says where */
  readonly isBare: boolean
}

/**
 * Before the first `?` the last `@` ends user and password, so that a password may hold `@`, `:` and `/`. A query and a
 * password end at `&name=` of a known name only, so that they may hold `&`; other parameters end at any `&name=`, so that a
 * mistyped name is found and not taken for a part of the value before it. `+` is a plus.
 *
 * @throws UsageError without showing any of it
 */
export function splitAddress(address: string, parameterNames: readonly string[]): AddressParts {
  const scheme = /^postgres(?:ql)?:\/\//i.exec(address)
  if (!scheme) throw new UsageError('a Postgres address begins with postgres://')
  const rest = address.slice(scheme[0].length)
  const question = rest.indexOf('?')
  const main = question < 0 ? rest : rest.slice(0, question)
  const parameters = question < 0 ? new Map<string, string>() : parametersOf(rest.slice(question + 1), parameterNames)
  const at = main.lastIndexOf('@')
  const login = at < 0 ? '' : main.slice(0, at)
  const place = main.slice(at + 1)
  const slash = place.indexOf('/')
  const colon = login.indexOf(':')
  return {
    user: decoded(colon < 0 ? login : login.slice(0, colon)),
    password: colon < 0 ? undefined : decoded(login.slice(colon + 1)),
    ...hostAndPort(slash < 0 ? place : place.slice(0, slash)),
    database: slash < 0 ? undefined : decoded(place.slice(slash + 1)),
    parameters,
    isBare: main === '' || main === '/',
  }
}

function hostAndPort(text: string): { host: string | undefined; port: string | undefined } {
  const found = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]*))(?::(.*))?$/i.exec(text)
  if (!found) throw new UsageError('a Postgres address: what stands for host and port cannot be read')
  return { host: decoded(found[1] ?? found[2] ?? ''), port: found[3] === '' ? undefined : found[3] }
}

const mayHoldAmpersand = /^(?:query|password)=/

function parametersOf(text: string, names: readonly string[]): Map<string, string> {
  const parameters = new Map<string, string>()
  const pairs = text
    .split(new RegExp(`&(?=(?:${names.join('|')})=)`))
    .flatMap((pair) => (mayHoldAmpersand.test(pair) ? [pair] : pair.split(/&(?=[a-z0-9_-]{1,30}=)/i)))
  for (const pair of pairs) {
    if (pair === '') continue
    const equals = pair.indexOf('=')
    const name = equals < 0 ? pair : pair.slice(0, equals)
    if (parameters.has(name)) throw new UsageError('a Postgres address gives one parameter twice')
    parameters.set(name, equals < 0 ? '' : percentDecoded(pair.slice(equals + 1)))
  }
  return parameters
}

/** The address again; only what would divide it is encoded, so that SQL stays readable. */
export function joinParameters(main: string, parameters: readonly (readonly [string, string])[]): string {
  const text = parameters.map(([name, value]) => `${name}=${value.replace(/[%&?#]/g, encodeURIComponent)}`).join('&')
  if (text === '') return main
  return `${main}${main.includes('?') ? '&' : '?'}${text}`
}

function decoded(text: string): string | undefined {
  return text === '' ? undefined : percentDecoded(text)
}

/** `%` that begins no encoded character is itself */
function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return encoded
    }
  })
}
