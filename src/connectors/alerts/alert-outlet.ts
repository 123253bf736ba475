// Messages to people's receivers: sent beside everything else, tried again for a while, and never waited for.
import pRetry, { AbortError } from 'p-retry'
import { messageOf } from '../../errors.ts'
import { type MessageOutlet, openOutlet } from '../kafka/client/outlet.ts'
import type { AlertPlace } from './alert-place.ts'
import { postJson, WebhookError } from './webhook.ts'

/** messages are worth less than the stream: what waits beyond this is dropped */
const mostWaiting = 100
const retries = 7
/** what is under way at the end has so long */
const closeWithinMs = 2_000

export interface AlertOutlet {
  /** Returns at once. @param message one object of JSON */
  send(message: object): void
  /** Waits a moment for what is under way. */
  close(): Promise<void>
}

/** @param warn is told once that a receiver takes nothing, and again only after it has taken something */
export function openAlerts(places: readonly AlertPlace[], warn: (line: string) => void): AlertOutlet {
  const receivers = places.map((place) => openReceiver(place, warn))
  return {
    send(message) {
      const text = JSON.stringify(message)
      for (const receiver of receivers) receiver.send(text)
    },
    async close() {
      await Promise.all(receivers.map((receiver) => receiver.close()))
    },
  }
}

function openReceiver(place: AlertPlace, warn: (line: string) => void) {
  const leaving = new AbortController()
  const waiting: string[] = []
  let sending: Promise<void> | undefined
  let isSilent = false
  let outlet: MessageOutlet | undefined

  function complain(why: string): void {
    if (!isSilent && !leaving.signal.aborted) warn(`${place.address} takes no alerts: ${why}`)
    isSilent = true
  }

  async function sendOne(text: string): Promise<void> {
    if (place.kind === 'webhook') return postJson(place.url(), text, leaving.signal)
    const topic = place.topic(new Date())
    outlet ??= await openOutlet(place.connection, topic)
    await outlet.send([{ topic, key: null, value: Buffer.from(text) }])
  }

  async function sendAll(): Promise<void> {
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      const message = text
      const attempt = async (): Promise<void> => {
        try {
          await sendOne(message)
        } catch (error) {
          if (error instanceof WebhookError && !error.isPassing) throw new AbortError(error)
          throw error
        }
      }
      try {
        await pRetry(attempt, {
          ...{ retries, minTimeout: 500, factor: 3, maxTimeout: 60_000, signal: leaving.signal, unref: true },
          onFailedAttempt: ({ error }) => complain(messageOf(error)),
        })
        isSilent = false
      } catch (error) {
        complain(messageOf(error))
      }
      if (leaving.signal.aborted) break
    }
    sending = undefined
  }

  return {
    send(text: string): void {
      if (waiting.length >= mostWaiting) {
        waiting.shift()
        complain(`more than ${mostWaiting} of them wait, and the oldest are dropped`)
      }
      waiting.push(text)
      sending ??= sendAll()
    },
    async close(): Promise<void> {
      const late = setTimeout(() => leaving.abort(), closeWithinMs)
      // a producer does not hear the signal
      await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, closeWithinMs).unref())])
      clearTimeout(late)
      leaving.abort()
      await outlet?.close()
    },
  }
}
