// How the site looks, and its sidebar. A page that is not there yet has no line: the sidebar names what exists.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'

const pages = fileURLToPath(new URL('../pages', import.meta.url))

/** the sidebar's lines, in the words of each page's title unless a shorter one is given */
function group(text, names) {
  const items = names
    .map((name) => (typeof name === 'string' ? { name } : name))
    .filter(({ name }) => existsSync(`${pages}/${name}.md`))
    .map(({ name, text: own }) => ({ text: own ?? titleOf(name), link: `/${name}` }))
  return { text, items }
}

function titleOf(name) {
  return /^# (.*)$/m.exec(readFileSync(`${pages}/${name}.md`, 'utf8'))?.[1]?.replaceAll('`', '') ?? name
}

const below = (folder) =>
  existsSync(`${pages}/${folder}`)
    ? readdirSync(`${pages}/${folder}`)
        .filter((name) => name.endsWith('.md') && name !== 'index.md')
        .map((name) => `${folder}/${name.slice(0, -3)}`)
        .sort()
    : []

const asides = ['reference/exit-codes', 'reference/metrics', 'reference/schemas']
const commands = below('reference').filter((name) => !asides.includes(name))
const known = [
  group('Start', [
    { name: 'index', text: 'What it is' },
    { name: 'tutorial', text: 'Tutorial' },
  ]),
  group('Guides', [
    ...[
      'replay',
      { name: 'cron', text: 'Every night' },
      'reprocessing',
      'moving',
      'new-model',
      'hosting',
      'clusters',
      'deploy',
    ],
    ...['python', 'spark', 'library', 'own-sink', 'examples'],
  ]),
  group('Places', ['files', 's3', 'postgres', 'kafka', 'streams', 'messages']),
  group('Models and results', [
    { name: 'models', text: 'Which models are read' },
    'model-store',
    'check',
    'night-watch',
    'evaluate',
    'reports',
    'speed',
    'scale',
    'samples',
  ]),
  group('Explanations', [
    'exactness',
    'delivery',
    'hierarchy',
    'missing-values',
    { name: 'decisions/index', text: 'Decisions' },
  ]),
  group('Reference', [{ name: 'reference/index', text: 'Overview' }, 'addresses', 'json', ...asides]),
  group('Changes', ['changelog']),
]
const reference = [known[5], group('Commands', commands), known[0]]
const listed = new Set(known.flatMap(({ items }) => items.map(({ link }) => link.slice(1))))
const rest = existsSync(pages)
  ? readdirSync(pages)
      .filter((name) => name.endsWith('.md'))
      .map((name) => name.slice(0, -3))
      .filter((name) => !listed.has(name))
  : []

export default defineConfig({
  title: 'lcclf',
  description: 'Light-curve classification, exact in every bit, from the command line',
  lang: 'en',
  base: process.env.DOCS_BASE ?? '/',
  srcDir: 'pages',
  lastUpdated: false,
  // a page brings what it shows, and not what it links to
  router: { prefetchLinks: false },
  metaChunk: true,
  markdown: {
    // both keep a contrast of 4.5 on the ground of code blocks
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
  },
  themeConfig: {
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'Reference', link: '/reference/index' },
    ],
    sidebar: {
      '/reference/': reference,
      '/': [...known, ...(rest.length > 0 ? [group('More', rest)] : [])],
    },
    docFooter: { prev: 'Before', next: 'Next' },
  },
})
