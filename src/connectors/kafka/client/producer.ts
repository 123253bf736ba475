// An idempotent producer: what it has acknowledged is in the log, on all in-sync replicas.
import type { Cluster } from './cluster.ts'
import { deliver, SessionLostError, type OutgoingMessage, type ProducerSession, type TakeTooLarge } from './delivery.ts'
import { shownBrokers } from './connection.ts'
import { serviceFailure } from './failures.ts'
import { pause } from './waiting.ts'
import type { Compression } from './record-batch.ts'

/** See createProducer. */
export interface Producer {
  /**
   * Resolves when all messages are on all in-sync replicas, but for those that `onTooLarge` has taken; without it one that
   * is too large is a ServiceError. One call at a time.
   */
  send(messages: readonly OutgoingMessage[], onTooLarge?: TakeTooLarge): Promise<void>
}

/** a topic that is made anew again and again is not waited for */
const mostSessions = 10
const longestPauseMs = 1000

/**
 * A producer outside of transactions. When its session is lost (a topic was made anew, a broker forgot it), it goes on in
 * a new one with what was not acknowledged: those messages may then be there twice, none is missing.
 */
export function createProducer(cluster: Cluster, compression: Compression = 'none'): Producer {
  let session: ProducerSession | undefined
  return {
    async send(messages, onTooLarge) {
      let unsent = messages
      for (let sessions = 1; unsent.length > 0; sessions++) {
        try {
          session ??= await openSession(cluster)
          await deliver(cluster, session, unsent, { compression, onTooLarge })
          return
        } catch (thrown) {
          // whatever went wrong: how far the session came is not known, and a wrong sequence number would lose messages
          session = undefined
          if (!(thrown instanceof SessionLostError)) throw thrown
          const what = `a producer's session was lost ${sessions} times`
          if (sessions === mostSessions) throw serviceFailure(what, shownBrokers(cluster.connection), thrown)
          unsent = thrown.unsent
        }
        await pause(Math.min(20 * 2 ** sessions, longestPauseMs))
      }
    },
  }
}

async function openSession(cluster: Cluster): Promise<ProducerSession> {
  const { producerId, producerEpoch } = await cluster.persist('opening a producer', () =>
    cluster.ask('produce', 'any', 'initProducerId', [null, 60_000, -1n, -1]),
  )
  return { producerId, producerEpoch, transactionalId: null, sequences: new Map(), topicIds: new Map() }
}
