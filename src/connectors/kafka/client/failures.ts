// What went wrong between us and a broker: whether trying again can help, and how to say it.
import { messageOf, ServiceError, systemCode } from '../../../errors.ts'
import type { KafkaConnection } from './connection-settings.ts'

/** A request that a broker did not answer in time. */
export class NoAnswerError extends Error {}

/** The protocol's names of all errors in what was thrown, e.g. `NOT_LEADER_OR_FOLLOWER`. */
export function protocolErrors(thrown: unknown): string[] {
  return leaves(thrown).flatMap((error) => ('apiId' in error && typeof error.apiId === 'string' ? error.apiId : []))
}

export function hasProtocolError(thrown: unknown, ...names: readonly string[]): boolean {
  return protocolErrors(thrown).some((name) => names.includes(name))
}

/** What a broker answered although some part of the answer is an error: the library throws, and keeps the answer there. */
export function answerIn<Answer>(thrown: unknown): Answer | undefined {
  if (!(thrown instanceof Error) || !('response' in thrown)) return undefined
  return (thrown.response ?? undefined) as Answer | undefined
}

/** An answer, also one with errors in it if it is usable all the same; then what was thrown for them comes along. */
export async function usableAnswer<Answer>(
  request: Promise<Answer>,
  isUsable: (answer: Answer) => boolean,
): Promise<{ readonly answer: Answer; readonly thrown?: unknown }> {
  try {
    return { answer: await request }
  } catch (thrown) {
    const answer = answerIn<Answer>(thrown)
    if (answer === undefined || !isUsable(answer)) throw thrown
    return { answer, thrown }
  }
}

/** Whether a broker accepted the connection and did not answer in time. */
export function isUnanswered(thrown: unknown): boolean {
  return leaves(thrown).some((error) => error instanceof NoAnswerError)
}

/**
 * Whether the same request may succeed later: the broker is away, is electing a leader or loading its state. Credentials,
 * rights and certificates do not mend themselves.
 */
export function isTransient(thrown: unknown): boolean {
  if (isUnanswered(thrown)) return true
  const errors = leaves(thrown)
  if (errors.some(isRefusal)) return false
  return errors.every((error) => {
    if ('apiId' in error) return 'canRetry' in error && error.canRetry === true
    const { code } = error as { code?: unknown }
    return code !== 'PLT_KFK_USER' && code !== 'PLT_KFK_UNSUPPORTED_API' && code !== 'PLT_KFK_UNSUPPORTED_COMPRESSION'
  })
}

/** Certificates and credentials: the socket's own words for them, and the broker's. */
function isRefusal(error: Error): boolean {
  const { code, apiId } = error as { code?: unknown; apiId?: unknown }
  if (code === 'PLT_KFK_AUTHENTICATION' || apiId === 'SASL_AUTHENTICATION_FAILED') return true
  return typeof code === 'string' && /CERT|SSL|TLS|ALTNAME|SELF_SIGNED|UNABLE_TO/.test(code)
}

/** One sentence with the brokers and the reason, for whoever can mend it. */
export function serviceFailure(what: string, { brokers }: KafkaConnection, thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown
  const message = `${what}: ${reasonOf(thrown)} (Kafka at ${brokers.join(',')})`
  return new ServiceError(message, { cause: thrown, hint: hintFor(thrown) })
}

/** The reasons at the bottom of what was thrown, each once. */
export function reasonOf(thrown: unknown): string {
  return [...new Set(leaves(thrown).map(reason))].slice(0, 3).join('; ')
}

function reason(error: Error): string {
  const { apiId, serverErrorMessage } = error as { apiId?: unknown; serverErrorMessage?: unknown }
  if (typeof apiId === 'string') {
    return typeof serverErrorMessage === 'string' && serverErrorMessage !== ''
      ? `${apiId}, ${serverErrorMessage}`
      : apiId
  }
  return socketReasons[systemCode(error) ?? ''] ?? messageOf(error).replace(/\.$/, '')
}

const socketReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name is unknown',
  ETIMEDOUT: 'the host cannot be reached',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the host cannot be reached',
}

function hintFor(thrown: unknown): string | undefined {
  const errors = leaves(thrown)
  const names = protocolErrors(thrown)
  if (names.includes('SASL_AUTHENTICATION_FAILED')) return 'Check the user name, the password and the SASL mechanism.'
  if (names.some((name) => name.endsWith('AUTHORIZATION_FAILED'))) {
    return 'The account needs rights for the topics, and as a consumer for the group.'
  }
  if (names.includes('UNSUPPORTED_SASL_MECHANISM')) return 'The broker wants another SASL mechanism.'
  if (errors.some(isRefusal)) return 'Name the CA of the broker’s certificate with KAFKA_SSL_CA.'
  if (errors.some((error) => systemCode(error) === 'ECONNREFUSED')) {
    return 'Is the broker running, and is this its address? It also tells clients itself which address to use.'
  }
  return undefined
}

/** The errors at the bottom of aggregates and causes. */
function leaves(thrown: unknown, depth = 0): Error[] {
  if (!(thrown instanceof Error)) return [new Error(String(thrown))]
  if (depth > 10) return [thrown]
  if (thrown instanceof AggregateError && thrown.errors.length > 0) {
    return (thrown.errors as unknown[]).flatMap((error) => leaves(error, depth + 1))
  }
  // a protocol error carries no better reason inside
  if ('apiId' in thrown || thrown.cause === undefined) return [thrown]
  return leaves(thrown.cause, depth + 1)
}
