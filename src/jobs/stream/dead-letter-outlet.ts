// Where dead letters go: a topic, or a file that grows.
import { closeSync, fsyncSync, openSync, writeFileSync } from 'node:fs'
import { ServiceError, systemCode, UsageError } from '../../errors.ts'
import type { KafkaConnection } from '../../connectors/kafka/client/connection.ts'
import { deadLetterMessage, deadLetterText, shortDeadLetterMessage } from '../../connectors/kafka/dead-letters.ts'
import type { DeadLetter } from '../../connectors/kafka/dead-letters.ts'
import type { OutgoingMessage } from '../../connectors/kafka/client/delivery.ts'
import { type MessageOutlet, openOutlet } from '../../connectors/kafka/client/outlet.ts'
import type { TopicName } from '../../connectors/kafka/topics.ts'

/** Takes dead letters. */
export interface DeadLetterOutlet {
  readonly address: string
  /** Resolves when they are safe. One call at a time. */
  write(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}

/**
 * A file with one letter per line; what is in it already stays.
 *
 * @throws UsageError for a file that cannot be written
 */
export function openDeadLetterFile(path: string): DeadLetterOutlet {
  let file: number | undefined
  try {
    file = openSync(path, 'a')
  } catch (cause) {
    const why = systemCode(cause) ?? 'unknown reason'
    throw new UsageError(`${path}: dead letters cannot be written there (${why})`, { cause })
  }
  return {
    address: path,
    async write(letters) {
      try {
        // a file that was opened to append grows by all of it
        writeFileSync(file!, letters.map((letter) => `${deadLetterText(letter)}\n`).join(''))
        fsyncSync(file!)
      } catch (cause) {
        const why = systemCode(cause) ?? 'unknown reason'
        const hint = 'Is there space left on the disk?'
        throw new ServiceError(`${path}: dead letters cannot be written (${why})`, { cause, hint })
      }
    },
    async close() {
      if (file !== undefined) closeSync(file)
      file = undefined
    },
  }
}

/** A topic for dead letters. */
export interface DeadLetterTopic {
  /** as it may be shown */
  readonly address: string
  readonly connection: KafkaConnection
  readonly topic: TopicName
}

/**
 * A topic, created where it does not exist and may be created.
 *
 * @param outlet of the transaction that the letters belong to
 * @throws ServiceError
 */
export async function openDeadLetterTopic(
  { address, connection, topic }: DeadLetterTopic,
  outlet?: MessageOutlet,
): Promise<DeadLetterOutlet> {
  const to = outlet ?? (await openOutlet(connection, topic(new Date())))
  return {
    address,
    async write(letters) {
      const name = topic(new Date())
      const messages = letters.map((letter) => deadLetterMessage(letter, name))
      const tooLarge = new Set<OutgoingMessage>()
      await to.send(messages, (message) => tooLarge.add(message))
      const again = letters.filter((_, i) => tooLarge.has(messages[i]!))
      if (again.length > 0) await to.send(again.map((letter) => shortDeadLetterMessage(letter, name)))
    },
    async close() {
      if (to !== outlet) await to.close()
    },
  }
}
