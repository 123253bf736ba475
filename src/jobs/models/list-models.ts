// The story of `lcclf model list`.
import { describeModel, type ModelDescription } from '../../model/store/describe-model.ts'
import { byteText } from '../../formats/byte-text.ts'
import { modelStore } from '../../model/store/model-reference.ts'
import { columnsOf, harmless, textTable } from '../../terminal/text-table.ts'

/** Lists the store, as a table or with --json as one object; answers 4 if a model in it is damaged. */
export async function listModels({ json, verify }: { json: boolean; verify: boolean }): Promise<number> {
  const store = modelStore()
  const models: ModelDescription[] = []
  for (const model of store.listAll()) models.push(await describeModel(model, { verify }))
  const exitCode = models.some(({ problem }) => problem !== null) ? 4 : 0
  if (json) {
    const report = { schemaVersion: 1, command: 'model list', store: store.root, models, exitCode }
    process.stdout.write(`${JSON.stringify(report)}\n`)
    return exitCode
  }
  if (models.length === 0) {
    process.stderr.write(`The model store ${store.root} is empty: lcclf model pull downloads a model.\n`)
    return exitCode
  }
  process.stdout.write(tableOf(models))
  for (const { name, version, problem } of models) {
    if (problem !== null) process.stderr.write(`${name}@${version} is damaged: ${harmless(problem)}\n`)
  }
  return exitCode
}

function tableOf(models: readonly ModelDescription[]): string {
  const { text } = columnsOf(models)
  const lines = textTable([
    text('NAME', ({ name }) => name),
    text('VERSION', ({ version }) => version),
    text('CLASSES', ({ classes }) => String(classes.length)),
    text('TREES', ({ trees }) => String(trees)),
    text('SIZE', ({ size }) => byteText(size)),
    text('VERIFIED', ({ verified }) => (verified === null ? '-' : verified ? 'yes' : 'NO')),
    text('ORIGIN', ({ origin }) => origin),
  ])
  return `${lines.join('\n')}\n`
}
