// Draws docs/terminal.svg: what commands really print on the samples, as a terminal shows it.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'picture-'))
const columns = 124
const [cellWidth, lineHeight, padding] = [8.43, 19, 18]

/** a command as it is typed, and how many of its lines are shown */
const shown = [
  ['lcclf classify night.parquet --to classified.parquet --receipt receipt.json', 9],
  ['lcclf check night.parquet', 6],
  ['lcclf evaluate classified.parquet --labels labels.csv', 9],
  ['lcclf explain night.parquet --oid ZTF18aaaaaaa --top 5', 9],
]

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

/** stdout and stderr together, as they stand on a terminal */
function linesOf(typed, most) {
  const words = typed.split(' ').slice(1)
  const env = { ...process.env, COLUMNS: String(columns), LCCLF_HOME: folder, LCCLF_MODEL: '', LCCLF_PULL: 'never' }
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(root, 'bin/run.js'), ...words], {
    cwd: folder,
    env,
  })
  if (status !== 0) throw new Error(`${typed}: ${stderr}`)
  const all = `${stderr}${stdout}`
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('model:'))
  return all.slice(0, most).map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line))
}

cpSync(join(root, 'samples/ztf-300.parquet'), join(folder, 'night.parquet'))
cpSync(join(root, 'samples/ztf-300-labels.csv'), join(folder, 'labels.csv'))
try {
  const lines = shown.flatMap(([typed, most], at) => [
    ...(at === 0 ? [] : [{ text: '' }]),
    { prompt: true, text: typed },
    ...linesOf(typed, most).map((text) => ({ text })),
  ])
  const [width, height] = [Math.ceil(columns * cellWidth + 2 * padding), lines.length * lineHeight + 2 * padding]
  const rows = lines.map(({ prompt, text }, at) => {
    const y = padding + (at + 0.75) * lineHeight
    const mark = prompt ? '<tspan fill="#7ee787">$ </tspan>' : ''
    return `<text x="${padding}" y="${y}" xml:space="preserve"${prompt ? ' fill="#ffffff" font-weight="bold"' : ''}>${mark}${escaped(text)}</text>`
  })
  writeFileSync(
    join(root, 'docs/terminal.svg'),
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img"
 font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#c9d1d9">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`,
  )
} finally {
  rmSync(folder, { recursive: true, force: true })
}
