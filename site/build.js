// `npm run docs`: the site of docs/ in site/.vitepress/dist. Installs what it needs into site/ alone, fails for a link that
// leads nowhere, and has axe look at every page where there is a browser. `npm run docs -- dev` serves while you write.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gatherPages } from './pages.js'

const site = fileURLToPath(new URL('.', import.meta.url))

function run(command, args, cwd = site) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Nothing is installed twice: npm's own mark is as new as the lock file. */
function install() {
  const mark = join(site, 'node_modules/.package-lock.json')
  if (existsSync(mark) && statSync(mark).mtimeMs >= statSync(join(site, 'package-lock.json')).mtimeMs) return
  run('npm', ['ci', '--no-audit', '--no-fund'])
}

install()
console.log(`${gatherPages()} pages`)
const vitepress = join(site, 'node_modules/vitepress/bin/vitepress.js')
if (process.argv[2] === 'dev') {
  run(process.execPath, [vitepress, 'dev'])
} else {
  run(process.execPath, [vitepress, 'build'])
  run(process.execPath, ['--import', 'tsx', join(site, 'look.js'), ...process.argv.slice(2)], join(site, '..'))
}
