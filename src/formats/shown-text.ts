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
