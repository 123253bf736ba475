// A whole report: one file that needs nothing else, and that a browser forbids to fetch anything.
import { createHash } from 'node:crypto'
import { type Content, type Html, markup, trusted } from './html.ts'
import { type Column, numberText, percentText, type Table } from '../formats/table.ts'
import { hasLongWords, paperFit, paperStyle } from './paper.ts'

/** A part of a page, with its place in the contents. */
export interface Section {
  readonly title: string
  readonly content: readonly Html[]
}

/** What stands in large type at the top: a value, and what it is. */
export type KeyFigures = readonly (readonly [value: Content, what: string])[]

/**
 * The text of the file. The same facts give the same bytes.
 *
 * @param page.lead the result, in a sentence or two
 * @param page.key the numbers that one looks for first: how many, how sure, what is odd
 */
export function pageOf(page: { title: string; lead: Content; key: KeyFigures; sections: readonly Section[] }): string {
  const { title, lead, key, sections } = page
  const anchors = sections.map(({ title: name }, i) => markup`<li><a href="#s${i + 1}">${name}</a></li>`)
  const parts = sections.map(
    ({ title: name, content }, i) =>
      markup`<section id="s${i + 1}" aria-labelledby="h${i + 1}"><h2 id="h${i + 1}">${name}</h2>
${content}</section>
`,
  )
  // the policy's hash is of the script to the letter
  return markup`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy())}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${trusted(style + paperStyle)}</style></head>
<body><header><h1>${title}</h1>
<p>${lead}</p>
<dl class="key">
${key.map(([value, what]) => markup`<div><dt>${what}</dt><dd>${value}</dd></div>`)}</dl>
<nav aria-label="Contents"><ul>${anchors}</ul></nav></header>
<main>
${parts}</main>
<footer>Made by lcclf. Everything is in this file; it asks for nothing on the network.</footer>
<script>${trusted(sortScript)}</script></body></html>
`.markup
}

/** Nothing is loaded; styles are inline; of scripts only ours runs. */
function policy(): string {
  const hash = createHash('sha256').update(sortScript).digest('base64')
  return `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; img-src data:; base-uri 'none'; form-action 'none'`
}

// How a page looks: light and dark, and on a screen of 400 pixels.

/**
 * Colours: Okabe and Ito's, which the colour-blind can tell apart, darker on light paper and lighter on dark. A cell of a
 * matrix is at most 55 % of its colour, so that the text on it keeps a contrast of 4.5.
 */
const style = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1a1d21; --faint: #545b64; --line: #c9ced6; --shade: #f2f4f7;
  --c1: #0072b2; --c2: #b34700; --c3: #00775a; --c4: #9a4d80; --c5: #7a6200; --c6: #4b5563;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --ink: #e6e9ed; --faint: #a4acb8; --line: #3d444e; --shade: #1f242a;
    --c1: #56b4e9; --c2: #f0a050; --c3: #3cc9a0; --c4: #e0a0c8; --c5: #e5d24a; --c6: #aab4c2;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem 1.25rem 3rem; max-width: 100rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
a { color: var(--c1); }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; list-style: none; margin: .8rem 0; padding: 0; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .3rem 2rem; margin: .6rem 0; }
dl div { display: flex; gap: .8rem; justify-content: space-between; border-bottom: 1px solid var(--line); }
dt { color: var(--faint); overflow-wrap: normal; } dd { margin: 0; text-align: right; }
dl.key { grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: .8rem; }
dl.key div { flex-direction: column-reverse; justify-content: flex-end; gap: 0; border: 0; border-left: 4px solid var(--c1); padding: .1rem .8rem; }
dl.key dd { font-size: 1.35rem; line-height: 1.3; text-align: left; font-variant-numeric: tabular-nums; }
dl.key dt { font-size: .9rem; line-height: 1.3; }
figure { margin: 1.4rem 0; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 40rem), 1fr)); gap: 0 2rem; }
figcaption { max-width: 48rem; margin-bottom: .5rem; }
.pictures { display: flex; flex-wrap: wrap; gap: .8rem 1.4rem; align-items: flex-start; }
.picture { max-width: 100%; }
.save { font: inherit; font-size: .8rem; color: var(--faint); background: none; border: 0; padding: 0; cursor: pointer; text-decoration: underline dotted; }
.name { font-weight: 600; font-size: .85rem; line-height: 1.3; }
svg { display: block; max-width: 100%; height: auto; }
svg text { white-space: pre; }
.scroll { overflow-x: auto; max-width: 100%; }
.picture.scroll svg { max-width: none; }
:focus-visible { outline: 3px solid var(--c1); outline-offset: 2px; }
details { margin: .4rem 0; } summary { cursor: pointer; color: var(--faint); font-size: .9rem; }
details .scroll { max-height: 28rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; margin: .4rem 0; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: baseline; }
th { font-weight: 600; } tbody th { font-weight: 400; }
.t { text-align: left; }
thead th { background: var(--shade); vertical-align: bottom; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit;
  text-decoration: underline dotted; text-underline-offset: .2em; }
th[aria-sort=ascending] button::after { content: " ▲"; } th[aria-sort=descending] button::after { content: " ▼"; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); }
.warning { border-left: 4px solid var(--c2); padding: .2rem .8rem; background: var(--shade); }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
`

// The one script of a page: headings of tables become buttons that sort, and a picture has one that saves it. Without it the
// page reads as well.

/** Plain ECMAScript 2017, no library; its hash is in the page's Content-Security-Policy. */
const sortScript = `
'use strict'
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0]
  const headings = Array.from(table.tHead.rows[0].cells)
  const status = document.createElement('p')
  status.className = 'unseen'
  status.setAttribute('role', 'status')
  table.parentNode.after(status)
  headings.forEach((heading, column) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.append(...heading.childNodes)
    heading.append(button)
    const isText = heading.classList.contains('t')
    button.addEventListener('click', () => {
      const current = heading.getAttribute('aria-sort')
      const rises = current === null ? isText : current === 'descending'
      const keyed = Array.from(body.rows, (row) => {
        const text = row.cells[column].textContent.trim()
        return { row, key: isText || text === '' ? text : parseFloat(text) }
      })
      keyed.sort((a, b) => {
        if (a.key === '' || b.key === '') return (a.key === '') - (b.key === '')
        const order = isText ? (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) : a.key - b.key
        return rises ? order : -order
      })
      body.append(...keyed.map(({ row }) => row))
      for (const other of headings) other.removeAttribute('aria-sort')
      heading.setAttribute('aria-sort', rises ? 'ascending' : 'descending')
      status.textContent = 'Sorted by ' + button.textContent + ', ' + (rises ? 'ascending' : 'descending')
    })
  })
}
// a picture alone, for a paper: with the colours that it has here, on no ground
let saved = 0
for (const picture of document.querySelectorAll('.picture')) {
  const drawings = picture.querySelectorAll('svg')
  drawings.forEach((drawing) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'save'
    button.textContent = 'Save as SVG'
    button.setAttribute('aria-label', 'Save as SVG: ' + drawing.getAttribute('aria-label'))
    const name = document.title.replace(/[^A-Za-z0-9]+/g, '-') + '-' + ++saved + '.svg'
    button.addEventListener('click', () => {
      const colors = getComputedStyle(document.documentElement)
      const copy = drawing.cloneNode(true)
      copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
      copy.setAttribute('font-family', 'system-ui, sans-serif')
      copy.setAttribute('color', colors.getPropertyValue('--ink').trim())
      const text = new XMLSerializer().serializeToString(copy)
        .replace(/var\\((--[a-z0-9]+)\\)/g, (_, color) => colors.getPropertyValue(color).trim())
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob([text], { type: 'image/svg+xml' }))
      link.download = name
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10000)
    })
    drawing.after(button)
  })
}
// what is folded away would not be printed
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details:not([open])')) {
    if (part.querySelectorAll('tr').length > 60) continue
    part.open = true
    part.dataset.printed = ''
  }
})
addEventListener('afterprint', () => {
  for (const part of document.querySelectorAll('details[data-printed]')) {
    part.open = false
    delete part.dataset.printed
  }
})
`

/** One drawing; several stand beside each other as far as the page is wide. */
export interface Picture {
  /** its own heading, where a figure has several */
  readonly name: string | null
  readonly drawing: readonly Html[]
  /** keep its size and scroll, where shrinking would make it unreadable */
  readonly isWide?: boolean
}

/**
 * A figure: caption, pictures, and the table of its numbers for those who cannot see them or want them.
 *
 * @param figure.note what it shows, and how to read it
 * @param figure.numbers made by `tableOf`
 */
export function figureOf(figure: { title: string; note: Content; pictures: readonly Picture[]; numbers: Html }): Html {
  const { title, note, pictures, numbers } = figure
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

// A table of a report: caption, headings with their scope, and cells that the page's script can sort.

/**
 * A table as markup; its first column is the heading of each row, cells without a value are empty. Optional end tags are
 * left out: curves have thousands of cells.
 */
export function tableOf<Row>({ caption, columns, rows, isSortable = false }: Table<Row>): Html {
  const shown = columns.flatMap((column) => {
    const { heading, isText = false } = column
    if (heading === undefined) return []
    return [{ heading, isText, texts: rows.map((row) => cellText(column, row)) }]
  })
  const kindOf = shown.map((column) =>
    classOf([...(column.isText ? ['t'] : []), ...(hasLongWords(column) ? ['long'] : [])]),
  )
  const headings = shown.map(({ heading }, i) => markup`<th scope="col"${kindOf[i]!}>${heading}</th>`)
  const body = rows.map((_, r) => {
    const cells = shown.map(({ texts }, i) =>
      i === 0 ? markup`<th scope="row"${kindOf[i]!}>${texts[r]!}` : markup`<td${kindOf[i]!}>${texts[r]!}`,
    )
    return markup`<tr>${cells}
`
  })
  const { letters, isUpright, isTooWide } = paperFit(shown)
  // the script makes buttons of the headings; without script the rows keep their order
  const kind = classOf([...(isSortable ? ['sortable'] : []), ...(isUpright ? ['upright'] : [])])
  const tooWide = isTooWide
    ? markup`<p class="on-paper">${caption}: ${shown.length} columns are too many for paper. A browser shows them.</p>`
    : null
  return markup`<div class="scroll${isTooWide ? ' too-wide' : ''}" tabindex="0" role="group" aria-label="table">${tooWide}
<table${kind} style="--letters:${letters}"><caption>${caption}</caption><thead><tr>${headings}</tr></thead>
<tbody>
${body}</tbody></table></div>
`
}

function classOf(names: readonly string[]): Html {
  return trusted(names.length === 0 ? '' : ` class="${names.join(' ')}"`)
}

function cellText<Row>({ cell, isShare }: Column<Row>, row: Row): string {
  const value = cell(row)
  if (typeof value !== 'number') return value ?? ''
  return isShare === true ? percentText(value, 2) : numberText(value)
}

/** Names and values in two columns. */
export function listOf(entries: readonly (readonly [name: string, value: Content])[]): Html {
  return markup`<dl>
${entries.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
`
}
