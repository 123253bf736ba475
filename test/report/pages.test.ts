import { createHash } from 'node:crypto'
import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { classifyPage } from '../../src/jobs/classify/report-page.ts'
import { createClassifyWatch } from '../../src/jobs/classify/report-facts.ts'
import { drawnBatch, drawnPages, drawnReceipt, drawnTaxonomy, hostile } from './drawn-findings.ts'

describe.each(Object.entries(await drawnPages(15, 300, hostile)))('the report of %s', (name, page) => {
  const { document } = parseHTML(page)

  it('shows names from outside, and lets none of them act', () => {
    const scripts = [...document.querySelectorAll('script')]
    expect(scripts).toHaveLength(1)
    expect(document.querySelectorAll('img')).toHaveLength(0)
    const acting = [...document.querySelectorAll('*')].flatMap((element: { attributes: Iterable<{ name: string }> }) =>
      [...element.attributes].filter((attribute) => attribute.name.startsWith('on')),
    )
    expect(acting).toEqual([])
    expect(page).toContain('&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)')
    expect(page).toContain('\\u202e')
    expect(page).not.toMatch(/[\u202e\0]/)
  })

  it('allows its one script by its hash, and nothing from the network', () => {
    const script = document.querySelector('script')!.textContent!
    const policy = document.querySelector('meta[http-equiv]')!.getAttribute('content')!
    expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`)
    expect(policy).toContain("default-src 'none'")
    const links = [...document.querySelectorAll('[src], [href]')].map(
      (element: { getAttribute(n: string): string | null }) => element.getAttribute('href'),
    )
    for (const link of links) expect(link).toMatch(/^(#s\d+|data:,)$/)
    expect(page).not.toMatch(/@import|url\((?!#)/)
  })

  it('has a caption, a name for those who cannot see, and a table of numbers for each figure', () => {
    const figures = [...document.querySelectorAll('figure')]
    expect(figures.length).toBeGreaterThan(name === 'diff' ? 5 : 2)
    for (const figure of figures) {
      expect(figure.querySelector('figcaption')?.textContent).toMatch(/\S/)
      expect(figure.querySelectorAll('details table caption').length).toBeGreaterThan(0)
      expect(figure.querySelectorAll('details tbody tr').length).toBeGreaterThan(0)
      expect(figure.querySelectorAll('svg').length).toBeGreaterThan(0)
      for (const svg of figure.querySelectorAll('svg')) {
        expect(svg.getAttribute('role')).toBe('img')
        expect(svg.getAttribute('aria-label')).toMatch(/\S/)
      }
    }
    for (const heading of document.querySelectorAll('thead th')) expect(heading.getAttribute('scope')).toBe('col')
  })
})

describe('a report', () => {
  it('stays below three megabytes with 23 classes, and is the same bytes each time', { tags: ['long'] }, async () => {
    const pages = await drawnPages(23, 4000, 'an object of an ordinary name ')
    for (const page of Object.values(pages)) expect(Buffer.byteLength(page)).toBeLessThan(3e6)
    expect(await drawnPages(23, 4000, 'an object of an ordinary name ')).toEqual(pages)
  })

  it('stays below three megabytes with 300 classes', { tags: ['long'] }, async () => {
    const pages = await drawnPages(300, 2000, 'C')
    for (const page of Object.values(pages)) expect(Buffer.byteLength(page)).toBeLessThan(3e6)
  })

  it('has no coordinate that is not a number, not even of a run without objects', async () => {
    const pages = await drawnPages(3, 1, 'C')
    const watch = createClassifyWatch(drawnTaxonomy(3))
    pages['empty'] = await classifyPage(drawnReceipt('x'), watch.facts, { done: 0 })
    for (const page of Object.values(pages))
      expect(page.replace(/<script>.*<\/script>/s, '')).not.toMatch(/NaN|Infinity/)
  })

  it('says of a model of one level what it says of a hierarchy', async () => {
    const taxonomy = { levels: drawnTaxonomy(4).levels.slice(0, 1) }
    const watch = createClassifyWatch(taxonomy)
    const input = watch.openInput()
    input.see(drawnBatch(taxonomy, 50))
    input.keep()
    const page = await classifyPage(drawnReceipt('x'), watch.facts, { done: 0 })
    expect(page).toContain('Objects of each class')
    expect(page).toContain('Confidence of lc_classifier')
  })
})
