// A schema registry: ids in messages → schemas, each asked for once.
import { ServiceError } from '../../errors.ts'
import type { RegistrySettings } from './address.ts'
import { pause } from './client/bell.ts'

/** What a registry says of an id. */
type RegisteredSchema = { readonly avro: string } | { readonly json: true } | { readonly reason: string }

/** See createSchemaRegistry. */
export interface SchemaRegistry {
  /** @throws ServiceError if the registry does not answer */
  schemaOf(id: number): Promise<RegisteredSchema>
}

const attempts = 5
const answerTimeoutMs = 10_000

/** ids without a schema, which come from bytes that are no message: there are four thousand million of them */
const mostUnusable = 1000

/**
 * A client of the registry's HTTP interface. An id never changes its meaning, so answers are kept: all that can be used,
 * and the latest of the others.
 */
export function createSchemaRegistry(settings: RegistrySettings): SchemaRegistry {
  const known = new Map<number, Promise<RegisteredSchema>>()
  const unusable: number[] = []
  return {
    schemaOf(id) {
      const existing = known.get(id)
      if (existing) return existing
      const asked = ask(settings, id)
      known.set(id, asked)
      asked.then(
        (answer) => 'reason' in answer && keepUnusable(id),
        () => known.delete(id),
      )
      return asked
    },
  }

  function keepUnusable(id: number): void {
    unusable.push(id)
    if (unusable.length > mostUnusable) known.delete(unusable.shift()!)
  }
}

async function ask({ url, username, password }: RegistrySettings, id: number): Promise<RegisteredSchema> {
  const headers: Record<string, string> = { accept: 'application/vnd.schemaregistry.v1+json, application/json' }
  if (username !== undefined) {
    headers['authorization'] = `Basic ${Buffer.from(`${username}:${password?.() ?? ''}`).toString('base64')}`
  }
  for (let attempt = 1; ; attempt++) {
    const { answer, problem } = await fetchOnce(`${url}/schemas/ids/${id}`, headers)
    if (answer) return answer
    if (!problem.mayPass || attempt === attempts) {
      throw new ServiceError(`the schema registry at ${url} gives no schema ${id}: ${problem.reason}`, {
        hint: 'Is it the registry of this topic? Its account is SCHEMA_REGISTRY_USERNAME and _PASSWORD.',
        cause: problem.cause,
      })
    }
    await pause(200 * 2 ** attempt)
  }
}

interface Problem {
  readonly reason: string
  readonly mayPass: boolean
  readonly cause?: unknown
}

type Outcome =
  | { readonly answer: RegisteredSchema; readonly problem?: undefined }
  | { readonly answer?: undefined; readonly problem: Problem }

async function fetchOnce(url: string, headers: Record<string, string>): Promise<Outcome> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(answerTimeoutMs) })
    const text = await response.text()
    // 40403: the registry is there, and has no such schema
    if (response.status === 404 && text.includes('40403'))
      return { answer: { reason: 'the registry does not know its id' } }
    if (!response.ok)
      return {
        problem: { reason: `HTTP ${response.status}`, mayPass: response.status >= 500 || response.status === 429 },
      }
    return { answer: schemaIn(text) }
  } catch (cause) {
    const reason = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause)
    return { problem: { reason, mayPass: true, cause } }
  }
}

function schemaIn(text: string): RegisteredSchema {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    return { reason: 'the registry answers with something else than JSON' }
  }
  const {
    schema,
    schemaType = 'AVRO',
    references,
  } = body as { schema?: unknown; schemaType?: unknown; references?: unknown }
  if (schemaType === 'JSON') return { json: true }
  if (schemaType !== 'AVRO' || typeof schema !== 'string')
    return { reason: `its schema is ${String(schemaType)}, not Avro or JSON` }
  if (Array.isArray(references) && references.length > 0) return { reason: 'its schema refers to others' }
  return { avro: schema }
}
