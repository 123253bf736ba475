// axe looks at every page of the built site: light, dark and narrow. With a folder named
// (`npm run docs -- pictures/`) it leaves pictures of some pages there, for people to look at.
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startChromium } from '../test/support/chromium.ts'
import { builtPages } from './pages.js'

const site = fileURLToPath(new URL('.vitepress/dist', import.meta.url))
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const pictures = process.argv[2]
const pictured = ['index', 'tutorial', 'models', 'reference/classify', 'hierarchy', 'reports']
const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.woff2': 'font/woff2',
}

const wide = { width: 1280, height: 900 }
const looks = [
  { name: 'light', colorScheme: 'light', viewport: wide },
  // of what axe looks for, only contrast depends on the colours
  { name: 'dark', colorScheme: 'dark', viewport: wide, rules: ['color-contrast'] },
  // the narrowest that WCAG asks for; what else is different there, the menus, is the same on all pages
  {
    name: 'narrow',
    colorScheme: 'light',
    viewport: { width: 320, height: 700 },
    rules: ['scrollable-region-focusable'],
  },
]
/** pages that are looked at side by side */
const visitors = 3

function serve() {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://site').pathname)
    const file = join(site, path.endsWith('/') ? `${path}index.html` : path)
    try {
      const body = readFileSync(file)
      response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/** What is wrong with the page that is shown, in lines. */
async function examine(page, rules) {
  const options = { resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) }
  const { violations } = await page.evaluate((asked) => globalThis.axe.run(document, asked), options)
  const isWide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
  return [
    ...violations.map(({ id, help, nodes }) => `${id}: ${help} (${nodes.length} × ${nodes[0].target.join(' ')})`),
    ...(isWide ? ['scrolls sideways'] : []),
  ]
}

const browser = await startChromium()
if (browser === undefined) {
  console.warn('*** the site is built, but nobody has looked at it ***')
  process.exit(0)
}
const server = await serve()
const origin = `http://127.0.0.1:${server.address().port}`
const pages = builtPages(site)
const found = []
const failedRequests = new Set()
let looked = 0

/** One page in every look; it is loaded once. */
async function lookAt(page, path) {
  await page.setViewportSize(wide)
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
  const answer = await page.goto(`${origin}/${path}`, { waitUntil: 'load' })
  if (answer.status() !== 200) return found.push(`${path}: answers ${answer.status()}`)
  await page.waitForFunction(() => document.querySelector('#app')?.__vue_app__ !== undefined)
  await page.evaluate(axe)
  for (const { name, colorScheme, viewport, rules } of looks) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize(viewport)
    await page.waitForFunction(
      (dark) => document.documentElement.classList.contains('dark') === dark,
      colorScheme === 'dark',
    )
    for (const line of await examine(page, pictured.includes(path.replace('.html', '')) ? undefined : rules))
      found.push(`${name} ${path}: ${line}`)
    looked++
    const plain = path.replace('.html', '')
    if (pictures === undefined || !pictured.includes(plain)) continue
    mkdirSync(pictures, { recursive: true })
    await page.screenshot({ path: join(pictures, `${plain.replaceAll('/', '-')}-${name}.png`) })
  }
}

async function visit(paths) {
  const context = await browser.newContext()
  const page = await context.newPage()
  // a busy machine is no failure
  page.setDefaultTimeout(120_000)
  page.on('requestfailed', (request) => {
    // what was fetched ahead when we went on
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') failedRequests.add(request.url())
  })
  page.on('response', (response) => {
    if (response.status() >= 400) failedRequests.add(`${response.url()}: ${response.status()}`)
  })
  page.on('pageerror', (error) => found.push(`${page.url()}: ${error.message}`))
  for (;;) {
    const path = paths.shift()
    if (path === undefined) return context.close()
    await lookAt(page, path)
  }
}

try {
  const paths = [...pages]
  await Promise.all(Array.from({ length: visitors }, () => visit(paths)))
} finally {
  await browser.close()
  server.close()
}
for (const line of [...found, ...failedRequests]) console.error(line)
console.log(`axe looked ${looked} times at ${pages.length} pages: ${found.length} findings`)
process.exitCode = found.length + failedRequests.size > 0 ? 1 : 0
