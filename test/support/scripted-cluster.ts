// A cluster whose brokers say what a test wants of them: answers that a real broker gives only once in a long while.
import { connectCluster, type Cluster } from '../../src/connectors/kafka/client/cluster.ts'

/** What a broker answers to a request, by the request's name; it may throw. */
export type Script = Readonly<Record<string, (args: readonly never[]) => unknown>>

/** A cluster without brokers. Patience, repetition and the library are the real ones. */
export async function scriptedCluster(
  script: Script,
  { patienceMs = 5000, ...other }: Partial<Cluster> & { readonly patienceMs?: number } = {},
): Promise<Cluster> {
  const cluster = await connectCluster({ brokers: ['127.0.0.1:1'], patienceMs }, 'test')
  const ask = (_channel: unknown, _target: unknown, name: string, args: readonly never[]): Promise<unknown> =>
    Promise.resolve().then(() => {
      const answer = script[name]
      if (!answer) throw new Error(`nobody was to ask for ${name}`)
      return answer(args)
    })
  return { ...cluster, coordinator: () => Promise.resolve(1), ask: ask as Cluster['ask'], ...other }
}

/** What topics are said to be: a name, and how many partitions. */
export function topicsOf(partitions: Readonly<Record<string, number>>): ReturnType<Cluster['topics']> {
  return Promise.resolve(
    new Map(
      Object.entries(partitions).map(([name, count]) => [
        name,
        { name, id: `id-of-${name}`, partitions: Array.from({ length: count }, () => ({ leader: 1, leaderEpoch: 0 })) },
      ]),
    ),
  )
}
