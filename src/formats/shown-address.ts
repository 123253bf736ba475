// An address as messages and records may show it.

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
  return redacted(typed).replace(/:(?!\/\/).*@/s, ':***@')
}
