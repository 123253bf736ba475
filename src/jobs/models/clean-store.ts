// The story of `lcclf model gc`.
import { collectLitter } from '../../model/store/collect-litter.ts'
import { byteText } from '../../formats/byte-text.ts'
import { cacheFolder, downloadFolder, modelStore } from '../../model/store/model-reference.ts'

/** Takes away what nobody needs any more, and says what. */
export async function cleanStore({ json, dryRun }: { json: boolean; dryRun: boolean }): Promise<void> {
  const places = { store: modelStore().root, downloads: downloadFolder(), graphs: cacheFolder() }
  const litter = await collectLitter(places, { dryRun })
  if (json) {
    process.stdout.write(`${JSON.stringify({ schemaVersion: 1, command: 'model gc', dryRun, litter })}\n`)
    return
  }
  for (const { path, why, size, action } of litter) {
    process.stdout.write(`${dryRun ? 'would be ' : ''}${action}  ${path}  ${byteText(size)}  ${why}\n`)
  }
  const bytes = litter.filter(({ action }) => action === 'removed').reduce((sum, { size }) => sum + size, 0)
  const said = litter.length === 0 ? 'nothing to remove' : `${byteText(bytes)} ${dryRun ? 'would be ' : ''}freed`
  process.stderr.write(`${said}\n`)
}
