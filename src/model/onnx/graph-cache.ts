// The graphs of forests, kept from one run to the next: making one takes seconds for a large model.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { graphOfForests, graphVersion } from './graph-of-forests.ts'
import type { Bundle } from '../bundle/read-bundle.ts'
import { writeWholeFile } from '../../whole-file.ts'

/** A graph, and whether it was made just now. */
interface ForestGraph {
  /** the path of the file, or its bytes where there is no place to keep it */
  readonly graph: string | Uint8Array
  readonly isFresh: boolean
}

/**
 * The graph of a bundle of forests: from the cache, or made and put there. The name in the cache is the bundle's sha256,
 * so a changed bundle has another; nothing is written into the bundle, which may be read-only.
 *
 * @param cacheFolder is made where it is missing; where it cannot be written, the graph is made for this run alone
 * @param again to make it even if it is there
 * @throws ModelError for a model too large for an ONNX file
 */
export async function forestGraph(
  bundle: Pick<Bundle, 'manifest' | 'forests' | 'sha256'>,
  cacheFolder: string,
  { again = false } = {},
): Promise<ForestGraph> {
  const path = join(cacheFolder, `${bundle.sha256}-graph${graphVersion}.onnx`)
  if (!again && existsSync(path)) return { graph: path, isFresh: false }
  const bytes = graphOfForests(bundle)
  try {
    await writeWholeFile(path, bytes)
  } catch {
    // no home, no room, no permission: the run does not depend on it
    return { graph: bytes, isFresh: true }
  }
  return { graph: path, isFresh: true }
}

// Writes one file beside its place, flushes it and renames it: it is there whole or not at all.
