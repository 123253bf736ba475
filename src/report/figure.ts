// A figure of a report: caption, pictures, and the table of its numbers for those who cannot see them or want them.
import { markup, trusted, type Content, type Html } from './html.ts'

/** See figureOf. */
interface FigureOptions {
  readonly title: string
  /** what is to be seen, and how to read it */
  readonly note: Content
  readonly pictures: readonly Picture[]
  /** made by `tableOf` */
  readonly numbers: Html
}

/** One drawing; several stand beside each other as far as the page is wide. */
export interface Picture {
  /** its own heading, where a figure has several */
  readonly name: string | null
  readonly drawing: readonly Html[]
  /** keep its size and scroll, where shrinking would make it unreadable */
  readonly isWide?: boolean
}

/** The markup of a figure. */
export function figureOf({ title, note, pictures, numbers }: FigureOptions): Html {
  return markup`<figure><figcaption><strong>${title}</strong> ${note}</figcaption>
<div class="pictures">${pictures.map(pictureOf)}</div>
<details><summary>Numbers of “${title}”</summary>
${numbers}</details></figure>
`
}

function pictureOf({ name, drawing, isWide = false }: Picture): Html {
  const heading = name === null ? null : markup`<div class="name" aria-hidden="true">${name}</div>`
  const kind = trusted(
    isWide ? 'class="picture scroll" tabindex="0" role="group" aria-label="picture"' : 'class="picture"',
  )
  return markup`<div ${kind}>${heading}${drawing}</div>
`
}
