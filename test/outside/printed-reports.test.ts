import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { writeFileSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { getDocumentProxy } from 'unpdf'
import { afterAll, describe, expect, it } from 'vitest'
import { startChromium } from '../support/chromium.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { drawnPages, hostile } from '../report/drawn-findings.ts'

const browser: Browser | undefined = await startChromium()
const work = temporaryFolder()
afterAll(() => browser?.close())

/** of a centimetre's 1.2 margin, in points and in a browser's pixels */
const margin = { points: (1.2 / 2.54) * 72, pixels: (1.2 / 2.54) * 96 }
/** what A4 and Letter both have between their margins: A4 is narrower, Letter is shorter */
const room = { width: Math.floor(794 - 2 * margin.pixels), height: 1056 - 2 * margin.pixels }

/** Opens a report as it is printed, with the numbers of its figures unfolded. */
async function printed(name: string, markup: string): Promise<Page> {
  const file = join(work, `${name}.html`)
  writeFileSync(file, markup)
  const page = await browser!.newPage({ viewport: { width: room.width, height: 1000 } })
  await page.goto(pathToFileURL(file).href)
  await page.emulateMedia({ media: 'print' })
  await page.evaluate('document.querySelectorAll("details").forEach((part) => { part.open = true })')
  return page
}

/** The words of each page of a PDF, with their right ends, in points. */
async function wordsOf(paper: Uint8Array): Promise<{ text: string; right: number }[][]> {
  const document = await getDocumentProxy(new Uint8Array(paper))
  const pages: { text: string; right: number }[][] = []
  for (let number = 1; number <= document.numPages; number++) {
    const { items } = await (await document.getPage(number)).getTextContent()
    pages.push(
      items.flatMap((item) =>
        'str' in item && item.str.trim() !== ''
          ? [{ text: item.str, right: (item.transform as number[])[4]! + item.width }]
          : [],
      ),
    )
  }
  return pages
}

/** What sticks out, its outermost element alone. */
const beyond = `[...document.body.querySelectorAll('*')].filter((element) => {
  const { right, width } = element.getBoundingClientRect()
  return width > 0 && right > innerWidth + 0.5 && element.parentElement.getBoundingClientRect().right <= innerWidth + 0.5
}).map((element) => element.outerHTML.slice(0, 300))`

const pictures = `[...document.querySelectorAll('.picture')].map((picture) => ({
  height: picture.getBoundingClientRect().height, breaks: getComputedStyle(picture).breakInside,
}))`

const openTables = `[...document.querySelectorAll('section > .scroll > table')].map((table) => ({
  headings: [...table.tHead.rows[0].cells].map((cell) => cell.textContent),
  rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent).join('')),
}))`

const kinds: readonly (readonly [string, number, string])[] = [
  ['15 classes', 15, 'an object of an ordinary name '],
  ['23 classes with hostile names', 23, hostile],
  ['300 classes', 300, 'C'],
]

describe.skipIf(browser === undefined)('a printed report', () => {
  it.each(kinds)(
    'of %s has no column beyond the edge, and no figure that is cut',
    { tags: ['long'] },
    async (...kind) => {
      const [, classes, text] = kind
      for (const [name, markup] of Object.entries(await drawnPages(classes, 300, text))) {
        const page = await printed(name, markup)
        expect(await page.evaluate(beyond), name).toEqual([])
        for (const picture of (await page.evaluate(pictures)) as { height: number; breaks: string }[]) {
          expect(picture.breaks).toBe('avoid')
          expect(picture.height, name).toBeLessThan(room.height)
        }
        await page.close()
      }
    },
  )

  const title = 'as PDF has the headings of a table on each of its pages, and every word between the margins'
  it(title, { tags: ['long'] }, async () => {
    for (const [name, markup] of Object.entries(await drawnPages(15, 300, 'o'))) {
      const page = await printed(name, markup)
      const tables = ((await page.evaluate(openTables)) as OpenTable[]).filter(({ rows }) => rows.length > 5)
      expect(Math.max(...tables.map(({ rows }) => rows.length))).toBeGreaterThan(name === 'evaluate' ? 10 : 60)
      for (const [format, width] of [
        ['A4', 595.3],
        ['Letter', 612],
      ] as const) {
        const pages = await wordsOf(await page.pdf({ format }))
        for (const { text, right } of pages.flat()) {
          expect(right, `${name}: ${text}`).toBeLessThan(width - margin.points + 1)
        }
        const contents = pages.map((words) => plain(words.map(({ text }) => text).join('')))
        for (const { headings, rows } of tables) {
          const own = contents.filter((content) => rows.some((row) => content.includes(plain(row))))
          expect(own.length, headings.join()).toBeGreaterThan(rows.length > 60 ? 1 : 0)
          for (const content of own) expect(content, name).toContain(plain(headings.join('')))
        }
      }
      await page.close()
    }
  })
})

interface OpenTable {
  readonly headings: readonly string[]
  readonly rows: readonly string[]
}

/** Letters alone: how a PDF parts its words is its own affair. */
function plain(text: string): string {
  return text.replace(/\s/g, '')
}
