// What a graph that lcclf wrote says of itself, so that it can be imported again without further files.
import type { Writer } from 'protobufjs/minimal.js'
import type { Preprocessing } from '../../pipeline/preprocess.ts'
import { ModelError } from '../../errors.ts'
import { type Manifest, taxonomyOf } from '../bundle/manifest.ts'
import type { OnnxDocument } from './document.ts'
import { modelField, writeMessage, writeText } from './messages.ts'

/** Every key begins so. */
export const metadataPrefix = 'lcclf.'

/** What a graph says of itself. */
export type GraphManifest = Pick<Manifest, 'classifierName' | 'levels' | 'taxonomy' | 'features' | 'preprocessing'>

/**
 * Writes it as fields of a model.
 *
 * @param names of the graph's outputs, by level of the taxonomy
 */
export function writeMetadata(model: Writer, manifest: GraphManifest, names: readonly string[]): void {
  const { features, preprocessing, taxonomy } = manifest
  const { levels } = taxonomyOf(manifest)
  const outputs = Object.fromEntries(levels.map(({ classes }, index) => [names[index]!, classes]))
  const content = { features, preprocessing, taxonomy, outputs }
  for (const [key, value] of Object.entries(content)) {
    writeMessage(model, modelField.metadata, (entry) => {
      writeText(entry, 1, `${metadataPrefix}${key}`)
      writeText(entry, 2, JSON.stringify(value))
    })
  }
}

/**
 * Reads it; nothing where another program wrote the graph. The taxonomy is null for a model of one level too, `outputs` maps
 * an output to the classes of its columns.
 *
 * @throws ModelError where it is there and damaged
 */
export function readMetadata({ metadata }: Pick<OnnxDocument, 'metadata'>, where: string) {
  const damaged = (key: string) => new ModelError(`${where}: its metadata ${metadataPrefix}${key} is damaged`)
  const valueOf = (key: string): unknown => {
    const text = metadata.get(`${metadataPrefix}${key}`)
    if (text === undefined) return null
    try {
      return JSON.parse(text)
    } catch {
      throw damaged(key)
    }
  }
  const recordOf = (key: string): Record<string, unknown> | null => {
    const value = valueOf(key)
    if (value === null) return null
    if (typeof value !== 'object' || Array.isArray(value)) throw damaged(key)
    return value as Record<string, unknown>
  }
  const listsOf = (key: string): Record<string, string[]> | null => {
    const record = recordOf(key)
    if (record && !Object.values(record).every(isNames)) throw damaged(key)
    return record as Record<string, string[]> | null
  }
  const features = valueOf('features')
  if (features !== null && !isNames(features)) throw damaged('features')
  const rules = recordOf('preprocessing')
  const { missing, hugeAbove, huge } = rules ?? {}
  const areNumbers = typeof missing === 'number' && typeof hugeAbove === 'number' && typeof huge === 'number'
  if (rules && !areNumbers) throw damaged('preprocessing')
  return {
    features,
    preprocessing: areNumbers ? ({ missing, hugeAbove, huge } satisfies Preprocessing) : null,
    taxonomy: listsOf('taxonomy'),
    outputs: new Map(Object.entries(listsOf('outputs') ?? {})),
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')
}
