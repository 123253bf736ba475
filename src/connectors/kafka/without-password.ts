// A Kafka address as messages, logs and records may show it.

/** What a Kafka address may have behind its `?`. */
export const addressParameters = [
  ...['group', 'registry', 'security', 'mechanism', 'ca', 'cert', 'key'],
  ...['patience', 'session_timeout', 'date_format', 'change_hour'],
] as const

/** Only a known name begins a parameter: `?` and `&` may stand in a password that was typed as it is. */
const parameterStart = new RegExp(`(?=[?&](?:${addressParameters.join('|')})=)`)

/**
 * The address with its password masked, and that of its registry: in each part all from the first `:` to the last `@`,
 * because nobody who types `/`, `?` or `#` into a password gets an error that shows it. Takes what is no address too.
 */
export function withoutPassword(address: string): string {
  return address.split(parameterStart).map(masked).join('')
}

function masked(part: string): string {
  const slashes = /:\/\/|%3A%2F%2F/i.exec(part)
  const from = slashes ? slashes.index + slashes[0].length : 0
  const [, user, , at, rest] = /^(.*?)(:|%3A).*(@|%40)(.*)$/is.exec(part.slice(from)) ?? []
  return user === undefined ? part : `${part.slice(0, from)}${user}:***${at}${rest}`
}
