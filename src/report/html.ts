// Markup that is safe to put into a page: whatever is put into it as text is escaped.

/** Markup. Only `markup` and `trusted` make it, so that no text from outside can pass for it. */
export interface Html {
  readonly markup: string
}

/** What `markup` takes: text and numbers are escaped, markup is not; null is nothing. */
export type Content = string | number | null | Html | readonly Content[]

/** Markup with values put into it: markup`<b>${oid}</b>`. Attributes must be in double quotes. */
export function markup(pieces: TemplateStringsArray, ...values: readonly Content[]): Html {
  let text = pieces[0]!
  values.forEach((value, i) => (text += markupOf(value) + pieces[i + 1]!))
  return { markup: text }
}

/** Markup that we, or the plot library, made. Never for text that came from a file or the command line. */
export function trusted(text: string): Html {
  return { markup: text }
}

/**
 * Text as a page may show it: what would act on the reader's screen without being seen (control characters, changes of
 * the writing direction, halves of a character) stands there as an escape.
 */
export function visibleText(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/gu,
    (character) => {
      return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
    },
  )
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function markupOf(value: Content): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return visibleText(value).replace(/[&<>"']/g, (character) => entities[character]!)
  if ('markup' in value) return value.markup
  return value.map(markupOf).join('')
}
