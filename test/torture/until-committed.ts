// A group that has committed everything there is, or what there is to say when it has not.
import { committedIn, endsOf } from '../support/kafka-client.ts'
import type { TestKafka } from '../support/kafka.ts'
import { pause } from '../support/until.ts'
import type { StreamProcess } from '../support/stream-process.ts'

/** See untilCommitted. */
export interface Expected {
  readonly group: string
  readonly topic: string
  /** those that should, for their logs */
  readonly streams: () => readonly StreamProcess[]
}

/** far beyond a session that runs out, a transaction that is aborted and the longest pause between two attempts together */
const longestStandstillMs = 120_000

/**
 * Until a group has committed everything that a topic has; else it says which partition has not come to its end. How long
 * it takes is the machine's affair: it has failed when nothing more was committed for two minutes.
 */
export async function untilCommitted(
  kafka: Pick<TestKafka, 'server'>,
  { group, topic, streams }: Expected,
): Promise<void> {
  let most = -Infinity
  let movedAt = Date.now()
  for (;;) {
    const seen = await look(kafka, group, topic)
    const committed = total(seen.committed)
    if (seen.ends && committed >= total(seen.ends)) return
    if (seen.ends && committed > most) {
      most = committed
      movedAt = Date.now()
    }
    if (Date.now() - movedAt > longestStandstillMs) {
      const logs = streams().map(({ child, log }) => ({ pid: child.pid, ended: child.exitCode, log: log.slice(-40) }))
      throw new Error(`${group} has not committed all of ${topic}: ${shown(seen)}; the streams say ${shown(logs)}`)
    }
    await pause(300)
  }
}

interface Seen {
  /** by partition */
  readonly committed: readonly bigint[]
  /** undefined where the question itself failed */
  readonly ends?: readonly bigint[]
  readonly failure?: string
}

async function look(kafka: Pick<TestKafka, 'server'>, group: string, topic: string): Promise<Seen> {
  try {
    return { committed: await committedIn(kafka, group, topic), ends: await endsOf(kafka, topic) }
  } catch (error) {
    return { committed: [], failure: String(error) }
  }
}

const total = (offsets: readonly bigint[]): number => offsets.reduce((sum, offset) => sum + Number(offset), 0)

const shown = (what: unknown): string =>
  JSON.stringify(what, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))
