// `npm run bench -- --answers FOLDER…`: model × values that differ from the library's, by the built command.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { compareByCommand, modelsIn } from '../support/answers-by-command.ts'

/** @param names folders with input.csv, truth.json and a model's files, or folders of such folders */
export async function tableOfAnswers(names: readonly string[]): Promise<void> {
  const holdsTruth = (folder: string) => existsSync(join(folder, 'truth.json'))
  const folders = names
    .map((name) => resolve(name))
    .flatMap((folder) => {
      return holdsTruth(folder)
        ? [folder]
        : readdirSync(folder)
            .map((inner) => join(folder, inner))
            .filter(holdsTruth)
    })
  // the command runs in a process that holds nobody up
  const alive = setInterval(() => undefined, 60_000)
  const work = mkdtempSync(join(tmpdir(), 'lcclf-table-'))
  try {
    console.log('| model | rows | rejected | values | differing | margins | differing | farthest (places) |')
    console.log('|---|---|---|---|---|---|---|---|')
    for (const model of folders.flatMap(modelsIn)) {
      const found = await compareByCommand(model, join(work, 'model')).catch((error: Error) => error.message)
      if (typeof found === 'string') {
        console.log(`| ${model.name} | ${found.trim().replaceAll('\n', ' ')} |`)
        continue
      }
      const { name, rows, rejected, probabilities: p, margins: m } = found
      const farthest = Math.max(p.farthest, m.farthest)
      console.log(`| ${[name, rows, rejected, p.values, p.differing, m.values, m.differing, farthest].join(' | ')} |`)
    }
  } finally {
    clearInterval(alive)
    rmSync(work, { recursive: true, force: true })
  }
}
