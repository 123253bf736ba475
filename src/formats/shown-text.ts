// Text from a file as a message may show it: one line, nothing that a terminal would obey.

/** A name from a file; control characters as escapes. */
export function shownText(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** The first line of a library's message: below it are pictures and advice. */
export function firstLine(text: string): string {
  return shownText(text.split('\n', 1)[0]!.trim())
}

/** A password in it is masked, and the query of an http address (it may be signed). */
export function redacted(address: string): string {
  return address
    .replace(/^([a-z][a-z0-9+.-]*:\/\/[^/?#\s:@]*):.*@/i, '$1:***@')
    .replace(/^(https?:\/\/[^?]*\?).*/is, '$1***')
}

/**
 * As `redacted`, for what somebody typed in place of an address: also where slashes are missing (`https:me:secret@host`,
 * `me:secret@host`) what stands between a colon and an @ may be a password.
 */
export function redactedText(typed: string): string {
  const text = redacted(typed)
  const end = text.lastIndexOf('@')
  let colon = text.indexOf(':')
  while (colon >= 0 && text.startsWith('//', colon + 1)) colon = text.indexOf(':', colon + 1)
  return colon < 0 || colon > end ? text : `${text.slice(0, colon)}:***${text.slice(end)}`
}

/** e.g. `36.2 MB`; powers of 1000, as disks and networks count. */
export function byteText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = bytes > 0 ? Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1) : 0
  const value = bytes / 1000 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]!}`
}
