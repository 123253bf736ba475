// The story of `lcclf model export`.
import { createHash } from 'node:crypto'
import { describeComparison } from '../../model/bundle/golden.ts'
import { exportOnnx } from '../../model/onnx/export-graph.ts'
import { readManifest } from '../../model/bundle/read-bundle.ts'
import { checkBundle } from './check-bundle.ts'
import { findBundle } from '../../model/store/model-reference.ts'
import { localModel } from './local-model.ts'
import { writeFailure } from '../../errors.ts'
import { openReplacement } from '../../whole-file.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Exports and says what was written, on stderr or with --json as one object. */
export async function exportModel(
  reference: string,
  { format, json, ...options }: { format: 'onnx' | 'tar.gz'; out: string; overwrite: boolean; json: boolean },
): Promise<void> {
  const directory = findBundle(await localModel(reference))
  const { said, ...written } =
    format === 'onnx' ? await exportGraph(directory, options) : await exportArchive(directory, options)
  process.stderr.write(`${options.out}: ${written.size.toLocaleString('en')} bytes; ${said}\n`)
  if (json) await print(`${JSON.stringify({ schemaVersion: 1, command: 'model export', ...written })}\n`)
}

async function exportGraph(directory: string, { out, overwrite }: { out: string; overwrite: boolean }) {
  const { comparison, ...written } = await exportOnnx(directory, out, { overwrite })
  return { ...written, said: describeComparison(comparison) }
}

/**
 * Packs the files that the manifest names into one .tar.gz, below a folder NAME_VERSION. No owner, no time and no order of
 * the disk gets into it: the same bundle gives the same bytes.
 */
async function exportArchive(directory: string, { out, overwrite }: { out: string; overwrite: boolean }) {
  await checkBundle(directory)
  const { name, version, files } = (await readManifest(directory)).manifest
  const { create } = await import('tar')
  const output = await openReplacement({ path: out, address: out, overwrite })
  const hash = createHash('sha256')
  let size = 0
  try {
    const options = {
      cwd: directory,
      gzip: { portable: true },
      portable: true,
      mtime: new Date(0),
      prefix: `${name}_${version}`,
      // a file's permissions say nothing about a model
      onWriteEntry: (entry: { stat?: { mode: number } }) => {
        if (entry.stat) entry.stat.mode = 0o100644
      },
    }
    for await (const chunk of create(options, ['manifest.json', ...files.map(({ file }) => file)])) {
      size += chunk.length
      hash.update(chunk)
      await output.write(chunk)
    }
    await output.finish()
    await output.publish()
  } catch (cause) {
    throw writeFailure(out, cause)
  } finally {
    await output.close()
  }
  const sha256 = hash.digest('hex')
  return { file: out, size, sha256, said: `sha256 ${sha256}` }
}
