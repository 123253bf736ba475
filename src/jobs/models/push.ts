// The story of `lcclf model push`.
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { openTarget, publishBundle } from './bundle-target.ts'
import { checkBundle } from './verify.ts'
import { watchInterrupts } from '../../terminal/interrupt.ts'
import { findBundle } from '../../model/store/model-reference.ts'

/** What was typed. */
interface PushFlags {
  readonly address: string
  readonly overwrite: boolean
  readonly allowHttp: boolean
  readonly json: boolean
}

/** Verifies a bundle, publishes it, and says where. */
export async function pushModel(reference: string, { address, overwrite, allowHttp, json }: PushFlags): Promise<void> {
  const directory = findBundle(reference)
  await checkBundle(directory)
  const { manifest, sha256 } = await readManifest(directory)
  const interrupts = watchInterrupts()
  const target = await openTarget(address, { allowHttp, environment: process.env })
  try {
    const { signal } = interrupts
    const onFile = (file: string): void => void process.stderr.write(`${file}\n`)
    const published = await publishBundle(directory, target, { manifest, sha256, overwrite, signal, onFile })
    const { name, version } = manifest
    process.stderr.write(`${name} ${version} is ${published.status}: ${published.address}\n`)
    process.stderr.write(`lcclf model pull ${target.address} --name ${name} --version ${version} gets it\n`)
    if (!json) return
    const report = { schemaVersion: 1, command: 'model push', name, version, sha256, ...published }
    process.stdout.write(`${JSON.stringify(report)}\n`)
  } catch (error) {
    interrupts.check('the bundle is not in the index')
    throw error
  } finally {
    interrupts.stop()
    await target.close()
  }
}
