// What a graph that lcclf wrote says of itself, so that it can be imported again without further files.
import type { Writer } from 'protobufjs/minimal.js'
import { ModelError } from '../../errors.ts'
import { checkerOf, type Manifest, readPreprocessing, taxonomyOf, usualName } from '../bundle/manifest.ts'
import type { OnnxDocument } from './document.ts'
import { modelField, writeMessage, writeText } from './messages.ts'

/** Every key begins so. */
export const metadataPrefix = 'lcclf.'

/** What a graph says of itself. */
export type GraphManifest = Pick<
  Manifest,
  'classifierName' | 'levels' | 'taxonomy' | 'productClasses' | 'features' | 'preprocessing'
>

/**
 * Writes it as fields of a model.
 *
 * @param names of the graph's outputs, by level of the taxonomy
 */
export function writeMetadata(model: Writer, manifest: GraphManifest, names: readonly string[]): void {
  const { features, preprocessing, taxonomy, productClasses, classifierName } = manifest
  const { levels } = taxonomyOf(manifest)
  const outputs = Object.fromEntries(levels.map(({ classes }, index) => [names[index]!, classes]))
  // the usual is not said, as it never was
  const content = {
    features,
    preprocessing,
    taxonomy,
    ...(productClasses ? { productClasses } : {}),
    ...(classifierName === usualName ? {} : { classifierName }),
    outputs,
  }
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
  const valueOf = <Value>(key: string, isValue: (value: unknown) => value is Value): Value | null => {
    const text = metadata.get(`${metadataPrefix}${key}`)
    if (text === undefined) return null
    try {
      const value: unknown = JSON.parse(text)
      if (value === null || isValue(value)) return value
    } catch {
      // said below
    }
    throw damaged(key)
  }
  const outputs = valueOf('outputs', areLists)
  const rules = valueOf('preprocessing', (value): value is object => typeof value === 'object')
  return {
    features: valueOf('features', isNames),
    preprocessing: rules && readPreprocessing(checkerOf(where), rules),
    taxonomy: valueOf('taxonomy', areLists),
    productClasses: valueOf('productClasses', isNames) ?? undefined,
    classifierName: valueOf('classifierName', (value) => typeof value === 'string') ?? undefined,
    outputs: new Map(Object.entries(outputs ?? {})),
  }
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string')
}

function areLists(value: unknown): value is Record<string, string[]> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isNames)
}
