// A schema registry: ids in messages → schemas, each asked for once.
import pRetry, { AbortError } from 'p-retry'
import { ServiceError } from '../../errors.ts'
import type { RegistrySettings } from './address.ts'
import type { RegisteredSchema } from './input-message.ts'

export type SchemaRegistry = ReturnType<typeof createSchemaRegistry>

const attempts = 5
const answerTimeoutMs = 10_000

/** kept of each kind: of ids without a schema, which come from bytes that are no message, there are four thousand million */
const mostKept = 1000
/** a hundred times what a schema of an alert has */
const longestAnswer = 4 * 1024 * 1024

/**
 * A client of the registry's HTTP interface. An id never changes its meaning, so answers are kept: the latest that can be
 * used, and the latest of the others, which push none of those out.
 */
export function createSchemaRegistry(settings: RegistrySettings) {
  const known = new Map<number, Promise<RegisteredSchema>>()
  const kept = { usable: [] as number[], unusable: [] as number[] }

  return {
    /** @throws ServiceError if the registry does not answer */
    schemaOf(id: number): Promise<RegisteredSchema> {
      const existing = known.get(id)
      if (existing) return existing
      const asked = ask(settings, id)
      known.set(id, asked)
      asked.then(
        (answer) => {
          const ids = 'reason' in answer ? kept.unusable : kept.usable
          if (ids.push(id) > mostKept) known.delete(ids.shift()!)
        },
        () => known.delete(id),
      )
      return asked
    },
  }
}

async function ask({ url, username, password }: RegistrySettings, id: number): Promise<RegisteredSchema> {
  const headers: Record<string, string> = { accept: 'application/vnd.schemaregistry.v1+json, application/json' }
  if (username !== undefined) {
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${password?.() ?? ''}`).toString('base64')}`
  }
  try {
    const attempt = (): Promise<string | undefined> => fetchOnce(`${url}/schemas/ids/${id}`, headers)
    const text = await pRetry(attempt, { retries: attempts - 1, minTimeout: 400 })
    return text === undefined ? { reason: 'the registry does not know its id' } : schemaIn(text)
  } catch (cause) {
    const { message } = cause instanceof Error && cause.cause instanceof Error ? cause.cause : (cause as Error)
    const hint =
      'Is it the registry of this topic? Its account is SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD.'
    throw new ServiceError(`the schema registry at ${url} gives no schema ${id}: ${message}`, { cause, hint })
  }
}

/** @returns undefined where the registry has no such schema */
async function fetchOnce(url: string, headers: Record<string, string>): Promise<string | undefined> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(answerTimeoutMs) })
  const text = await textOf(response)
  // 40403: the registry is there, and has no such schema
  if (response.status === 404 && text.includes('40403')) return undefined
  if (response.ok) return text
  const problem = new Error(`HTTP ${response.status}`)
  throw response.status >= 500 || response.status === 429 ? problem : new AbortError(problem)
}

/** Never more than a schema can be, whatever the other side sends. */
async function textOf({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length
    if (length > longestAnswer) throw new AbortError(`its answer has more than ${longestAnswer} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function schemaIn(text: string): RegisteredSchema {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return { reason: 'the registry does not answer with JSON' }
  }
  const { schema, schemaType = 'AVRO', references } = (body ?? {}) as Readonly<Record<string, unknown>>
  if (schemaType === 'JSON') return { json: true }
  if (schemaType === 'AVRO' && typeof schema !== 'string') return { reason: 'the registry answers without a schema' }
  if (schemaType !== 'AVRO' || typeof schema !== 'string')
    return { reason: `its schema is ${String(schemaType).slice(0, 60)}, not Avro or JSON` }
  if (Array.isArray(references) && references.length > 0) return { reason: 'its schema refers to others' }
  return { avro: schema }
}
