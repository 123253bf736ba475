import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startChromium } from '../support/chromium.ts'
import { hostedLcclf } from '../support/hosted-lcclf.ts'
import { samples } from '../support/lcclf.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const input = join(samples, 'ztf-300.parquet')
const labels = join(samples, 'ztf-300-labels.csv')
const reports = ['classify', 'evaluate', 'diff', 'explain']
const browser: Browser | undefined = await startChromium()
let work: string

beforeAll(async () => {
  work = temporaryFolder()
  const runs = [
    ['classify', input, '--to', 'a.parquet', '--receipt', 'receipt.json', '--report', 'classify.html'],
    ['classify', input, '--to', 'b.parquet', '--engine', 'onnx'],
    ['evaluate', 'a.parquet', '--labels', labels, '--report', 'evaluate.html', '--json'],
    ['diff', 'a.parquet', 'b.parquet', '--report', 'diff.html', '--json'],
    ['explain', input, '--oid', 'ZTF18aaaaaaa', '--report', 'explain.html', '--json'],
  ]
  for (const args of runs) {
    const { code, stdout, stderr } = await hostedLcclf(args, { cwd: work })
    expect(stderr.includes('lcclf:') ? stderr : code, args.join(' ')).toBe(0)
    if (args.includes('--json')) expect(JSON.parse(stdout)).toMatchObject({ command: args[0] })
  }
})

afterAll(() => browser?.close())

describe('--report', () => {
  it('is refused before any work where the file exists or has another name', async () => {
    const before = readFileSync(join(work, 'classify.html'), 'utf8')
    const refused = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await hostedLcclf(args, { cwd: work })
      expect(code).toBe(2)
      return stderr
    }
    expect(await refused('classify', input, '--to', 'c.parquet', '--report', 'classify.html')).toContain(
      'exists already',
    )
    expect(await refused('classify', input, '--to', 'c.parquet', '--report', 'r.txt')).toContain('.html')
    expect(await refused('classify', input, '--dry-run', '--to', 'c.parquet', '--report', 'classify.html')).toContain(
      'exists',
    )
    expect(await refused('diff', 'a.parquet', 'b.parquet', '--report', 'a.parquet/r.html')).toContain('not a folder')
    expect(await refused('explain', input, '--oid', 'x', '--report', 'explain.html')).toContain('exists already')
    expect(readFileSync(join(work, 'classify.html'), 'utf8')).toBe(before)
    expect(existsSync(join(work, 'c.parquet'))).toBe(false)
  })

  it('leaves nothing behind where the work fails', async () => {
    writeFileSync(join(work, 'broken.csv'), 'oid,class\n')
    const { code } = await hostedLcclf(['evaluate', 'a.parquet', '--labels', 'broken.csv', '--report', 'r.html'], {
      cwd: work,
    })
    expect(code).toBe(3)
    expect(readdirSync(work).filter((name) => name.includes('r.html'))).toEqual([])
  })

  it('replaces a report with --overwrite, and tells the same but for the time', async () => {
    const withoutTime = (): string =>
      readFileSync(join(work, 'classify.html'), 'utf8').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '')
    const before = withoutTime()
    const args = [
      'classify',
      input,
      '--to',
      'a.parquet',
      '--report',
      'classify.html',
      '--batch-size',
      '7',
      '--overwrite',
    ]
    expect((await hostedLcclf(args, { cwd: work })).code).toBe(0)
    expect(withoutTime()).toBe(before)
  })

  it('is one for all inputs of a folder, and stays when nothing was left to do', async () => {
    copyFileSync(input, join(work, 'again.parquet'))
    const args = ['classify', input, 'again.parquet', '--to', 'out/', '--report', 'all.html', '--resume']
    expect((await hostedLcclf([...args], { cwd: work })).code).toBe(0)
    const first = readFileSync(join(work, 'all.html'), 'utf8')
    expect(first).toContain('600 objects classified')
    expect((await hostedLcclf([...args], { cwd: work })).code).toBe(0)
    expect(readFileSync(join(work, 'all.html'), 'utf8')).toBe(first)
  })
})

/** Opens a report; answers what the console and the network had to do with it. */
async function opened(
  name: string,
  options: BrowserContextOptions,
  look: (page: Page) => Promise<void>,
): Promise<string[]> {
  const complaints: string[] = []
  const context = await browser!.newContext(options)
  try {
    const page = await context.newPage()
    page.on('console', (message) => complaints.push(message.text()))
    page.on('pageerror', (error) => complaints.push(error.message))
    page.on('request', (request) => {
      if (!/^(file|data):/.test(request.url())) complaints.push(request.url())
    })
    await page.goto(pathToFileURL(join(work, `${name}.html`)).href)
    await look(page)
  } finally {
    await context.close()
  }
  return complaints
}

/** A table that stands in the open. */
const sortable = (page: Page): Locator => page.locator('section > .scroll > table.sortable').first()

const columnOf = (page: Page, column: number): Promise<(string | null)[]> =>
  sortable(page).locator(`tbody tr > :nth-child(${column})`).allTextContents()

describe.skipIf(browser === undefined).each(reports)('the report of %s in a browser', (name) => {
  it('sorts its tables by click and by keyboard, and says so', async () => {
    const complaints = await opened(name, {}, async (page) => {
      const headings = sortable(page).locator('thead th')
      await headings.first().locator('button').click()
      expect(await headings.first().getAttribute('aria-sort')).toBe('ascending')
      const names = await columnOf(page, 1)
      expect(names.length).toBeGreaterThan(3)
      expect(names).toEqual([...names].sort())
      const count = await headings.count()
      const last = headings.nth(count - 1)
      await last.locator('button').focus()
      await page.keyboard.press('Enter')
      expect(await last.getAttribute('aria-sort')).toBe('descending')
      expect(await headings.first().getAttribute('aria-sort')).toBeNull()
      const numbers = (await columnOf(page, count)).map(Number)
      expect(numbers).toEqual([...numbers].sort((a, b) => b - a))
      await page.keyboard.press('Enter')
      expect((await columnOf(page, count)).map(Number)).toEqual([...numbers].sort((a, b) => a - b))
      expect(await page.locator('[role=status]').allTextContents()).toContainEqual(expect.stringContaining('ascending'))
    })
    expect(complaints).toEqual([])
  })

  it('is dark where the reader wants it, fits 400 pixels, and prints', async () => {
    const complaints = await opened(
      name,
      { colorScheme: 'dark', viewport: { width: 400, height: 800 } },
      async (page) => {
        const style = await page.evaluate('(({ color, backgroundColor }) => ({ color, backgroundColor }))(getComputedStyle(document.body))') // prettier-ignore
        expect(style).toEqual({ color: 'rgb(230, 233, 237)', backgroundColor: 'rgb(20, 23, 27)' })
        expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0)
        const paper = await page.pdf({ format: 'A4' })
        expect(paper.subarray(0, 5).toString()).toBe('%PDF-')
        expect(paper.length).toBeGreaterThan(20_000)
      },
    )
    expect(complaints).toEqual([])
  })

  it('says the result on its first screen, and saves a picture as an SVG of its own', async () => {
    const complaints = await opened(name, { viewport: { width: 1440, height: 900 } }, async (page) => {
      const figures = page.locator('header dl.key dd')
      expect(await figures.count()).toBeGreaterThanOrEqual(4)
      expect((await figures.last().boundingBox())!.y).toBeLessThan(400)
      const [download] = await Promise.all([page.waitForEvent('download'), page.locator('button.save').first().click()])
      const file = join(work, `${name}.svg`)
      await download.saveAs(file)
      const saved = readFileSync(file, 'utf8')
      expect(saved).not.toContain('var(')
      expect(saved).toContain('xmlns="http://www.w3.org/2000/svg"')
      await page.goto(pathToFileURL(file).href)
      expect(await page.evaluate('document.documentElement.tagName')).toBe('svg')
    })
    // the address of the saved picture is within the page
    expect(complaints.filter((line) => !line.startsWith('blob:'))).toEqual([])
  })

  it('reads as well without JavaScript', async () => {
    const complaints = await opened(name, { javaScriptEnabled: false }, async (page) => {
      expect(await page.locator('button').count()).toBe(0)
      expect(await page.locator('figure svg').count()).toBeGreaterThan(2)
      const details = page.locator('details').first()
      await details.locator('summary').click()
      expect(await details.locator('table').first().isVisible()).toBe(true)
    })
    expect(complaints).toEqual([])
  })
})

describe.skipIf(browser === undefined)('the waterfall of an explanation', () => {
  it('goes from nothing known to the probability: each bar begins where the one above it ends', async () => {
    await opened('explain', {}, async (page) => {
      const bars = (await page.evaluate(
        `[...document.querySelector('figure svg').querySelectorAll('g[aria-label=bar] rect')].map(({ x, width }) => [x.baseVal.value, x.baseVal.value + width.baseVal.value])`,
      )) as [number, number][]
      const numbers = await page.locator('figure').first().locator('table td').allTextContents()
      expect(bars).toHaveLength(numbers.length)
      const [nothing, ...steps] = numbers.map(Number)
      const probability = steps.pop()!
      expect(steps.reduce((sum, step) => sum + step, nothing!)).toBeCloseTo(probability, 5)
      const [start, right] = bars[0]!
      const perUnit = (right - start) / nothing!
      let end = right
      steps.forEach((step, i) => {
        const [from, to] = bars[i + 1]!
        expect(Math.abs((step < 0 ? to : from) - end)).toBeLessThan(0.1)
        end += step * perUnit
        expect(Math.abs((step < 0 ? from : to) - end)).toBeLessThan(0.1)
      })
      expect(Math.abs(bars.at(-1)![1] - end)).toBeLessThan(0.1)
    })
  })
})
