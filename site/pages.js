// Gathers the pages of the site: docs/ as it stands, what it links to elsewhere in the repository, and links that lead there.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, extname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Where the gathered pages are; only this build reads them. */
export const pagesFolder = join(root, 'site/pages')

/** pages of the site that are not in docs/ */
const others = new Map([
  ['README.md', 'index.md'],
  ['examples/README.md', 'examples.md'],
  ['samples/README.md', 'samples.md'],
  ['deploy/README.md', 'deploy.md'],
  ['python/README.md', 'python-package.md'],
  ['CHANGELOG.md', 'changelog.md'],
])

/** Which page of the site a file of the repository is. `docs/decisions/README.md` is `decisions/index.md`. */
function pageOf(path) {
  if (path.startsWith('docs/') && path.endsWith('.md')) return path.slice(5).replace(/(^|\/)README\.md$/, '$1index.md')
  return others.get(path)
}

/**
 * Copies every page and every file that a page links to.
 *
 * @throws Error that names every link that leads nowhere
 */
export function gatherPages() {
  rmSync(pagesFolder, { recursive: true, force: true })
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((path) =>
    posix.join('docs', path.replaceAll('\\', '/')),
  )
  const sources = [
    ...docs.filter((path) => path.endsWith('.md')),
    ...[...others.keys()].filter((path) => path !== 'README.md' && existsSync(join(root, path))),
  ]
  const dead = []
  for (const source of sources) {
    const text = readFileSync(join(root, source), 'utf8')
    write(pageOf(source), withoutMarks(withLinks(text, source, dead)))
  }
  if (dead.length > 0) throw new Error(`links that lead nowhere:\n${dead.join('\n')}`)
  return sources.length
}

/** The remarks for test/outside/docs.test.ts; the page has no use for them. */
function withoutMarks(text) {
  return text.replaceAll(/^<!-- (?:not run|exits with)[^\n]*-->\n/gm, '')
}

/** A page with links that hold in the site; code is left as it is. */
function withLinks(text, source, dead) {
  return text
    .split(/(^```[\s\S]*?^```$|`[^`\n]+`)/m)
    .map((part, i) =>
      i % 2 === 1 ? part : part.replaceAll(/\]\(([^)\s]+)\)/g, (_, to) => `](${linkTo(to, source, dead)})`),
    )
    .join('')
}

function linkTo(to, source, dead) {
  if (/^(https?:|mailto:|#)/.test(to)) return to
  const [path, anchor] = to.split('#')
  let target = posix.join(posix.dirname(source), path)
  const file = join(root, target)
  if (target.startsWith('..') || !existsSync(file)) {
    dead.push(`${source}: ${to}`)
    return to
  }
  if (statSync(file).isDirectory()) target = posix.join(target, 'README.md')
  const page = pageOf(target)
  if (page !== undefined) return `/${page}${anchor === undefined ? '' : `#${anchor}`}`
  if (extname(target) === '.md') return plainFile(target, '.txt')
  // pictures stay beside their page, where the bundler finds them
  if (target.startsWith('docs/')) {
    copy(file, target.slice(5))
    return `/${target.slice(5)}`
  }
  return plainFile(target, '')
}

/** A file of the repository that is no page: it is shown as it is. */
function plainFile(target, suffix) {
  copy(join(root, target), `public/files/${target}${suffix}`)
  return `/files/${target}${suffix}`
}

function copy(file, to) {
  mkdirSync(dirname(join(pagesFolder, to)), { recursive: true })
  cpSync(file, join(pagesFolder, to))
}

function write(page, text) {
  mkdirSync(dirname(join(pagesFolder, page)), { recursive: true })
  writeFileSync(join(pagesFolder, page), text)
}

/** Every page of the built site, as paths below it. */
export function builtPages(site) {
  return readdirSync(site, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.html') && path !== '404.html')
    .map((path) => relative('.', path))
    .sort()
}
