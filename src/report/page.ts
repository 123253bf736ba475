// A whole report: one file that needs nothing else, and that a browser forbids to fetch anything.
import { createHash } from 'node:crypto'
import { markup, trusted, type Content, type Html } from './html.ts'
import { sortScript } from './sort-script.ts'
import { style } from './style.ts'

/** A part of a page, with its place in the contents. */
export interface Section {
  readonly title: string
  readonly content: readonly Html[]
}

/** See pageOf. */
export interface PageOptions {
  readonly title: string
  /** what came of it, in a sentence or two */
  readonly lead: Content
  readonly sections: readonly Section[]
}

/** The text of the file. The same facts give the same bytes. */
export function pageOf({ title, lead, sections }: PageOptions): string {
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
<style>${trusted(style)}</style></head>
<body><header><h1>${title}</h1>
<p>${lead}</p>
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
