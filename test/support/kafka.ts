// A real Apache Kafka broker for tests: KRaft, one process, its own ports and folder.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Admin } from '@platformatic/kafka'
import { kafkaClassPath } from './kafka-jars.ts'
import { onceUnfenced } from './kafka-unfenced.ts'
import { pause } from './until.ts'

const run = promisify(execFile)

/** A broker that belongs to one test file. */
export interface TestKafka {
  /** host:port */
  readonly server: string
  readonly port: number
  /** whether the test may stop it */
  readonly isOwn: boolean
  /** of its process, if it is ours */
  readonly pid: number | undefined
  createTopic(name: string, partitions?: number, configs?: Record<string, string>): Promise<string>
  deleteTopic(name: string): Promise<void>
  /** removes the messages before an offset, as retention does */
  deleteRecords(topic: string, partition: number, before: bigint): Promise<void>
  /** throws all members out of a group, as a broker does with those it has not heard of for too long */
  removeMembers(groupId: string): Promise<void>
  /** SIGTERM, and waits until it is gone */
  stop(): Promise<void>
  /** SIGKILL: nothing is flushed, no connection is closed in order */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT: connections stay open and nobody answers */
  freeze(): void
  thaw(): void
  /** again on the same port, with the same log */
  start(): Promise<void>
  /** stops it and removes its folder */
  remove(): Promise<void>
}

/** Lines of server.properties that differ from test to test. */
export interface BrokerOptions {
  /** name, protocol and settings of a further listener, e.g. one with SASL */
  readonly listener?: { readonly name: string; readonly settings: Record<string, string> }
  /** `SCRAM-SHA-256=[name=…,password=…]` */
  readonly scram?: readonly string[]
}

/**
 * A broker for this test file, or undefined (said loudly) where Java or Maven is missing. With CI=true that is an error.
 * `LCCLF_TEST_KAFKA=host:port` uses another broker, which is never stopped.
 */
export async function kafkaForTests(options: BrokerOptions = {}): Promise<TestKafka | undefined> {
  const other = process.env['LCCLF_TEST_KAFKA']
  if (other !== undefined && options.listener === undefined) return otherBroker(other)
  try {
    return await startBroker(options)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (process.env['CI'] === 'true') throw new Error(`no Kafka broker for the tests: ${why}`, { cause: error })
    console.warn(`\n*** SKIPPED: no Kafka broker for the tests (${why}) ***\n`)
    return undefined
  }
}

async function startBroker(options: BrokerOptions): Promise<TestKafka> {
  const classPath = await kafkaClassPath()
  const folder = mkdtempSync(join(tmpdir(), 'lcclf-kafka-'))
  const [port, controllerPort, extraPort] = await freePorts(3)
  const properties = join(folder, 'server.properties')
  writeFileSync(
    properties,
    serverProperties({ folder, port: port!, controllerPort: controllerPort!, extraPort: extraPort! }, options),
  )
  const scram = (options.scram ?? []).flatMap((credential) => ['--add-scram', credential])
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'lcclf-test-cluster-0000', '-c', properties, ...scram]
  await run('java', [...javaFlags(folder), '-cp', classPath, ...format])
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const flags = ['-Xmx512m', '-XX:+UseSerialGC', ...javaFlags(folder)]
    const process = spawn('java', [...flags, '-cp', classPath, 'kafka.Kafka', properties], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = process
    let said = ''
    for (const stream of [process.stdout, process.stderr])
      stream.on('data', (data: Buffer) => (said = (said + data.toString()).slice(-4000)))
    const gone = new Promise<never>((_, reject) =>
      process.once('exit', (code) => reject(new Error(`the broker ended with ${code}: ${said}`))),
    )
    gone.catch(() => undefined)
    await Promise.race([gone, untilItAnswers(port!)])
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const process = child
    child = undefined
    if (!process || process.exitCode !== null) return
    const exited = new Promise((resolve) => process.once('exit', resolve))
    process.kill('SIGCONT')
    process.kill(signal)
    await exited
  }

  // a test that is interrupted must not leave a broker behind
  process.once('exit', () => child?.kill('SIGKILL'))
  await start()
  const server = `127.0.0.1:${options.listener ? extraPort! : port!}`
  return {
    ...topicTools(`127.0.0.1:${port!}`),
    server,
    port: port!,
    isOwn: true,
    get pid() {
      return child?.pid
    },
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async remove() {
      await end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** a quick start; what Java unpacks for itself goes with the folder, even where it is killed */
function javaFlags(folder: string): string[] {
  return ['-XX:TieredStopAtLevel=1', '-XX:-UsePerfData', `-Djava.io.tmpdir=${folder}`]
}

function otherBroker(server: string): TestKafka {
  const refuse = (): never => {
    throw new Error('LCCLF_TEST_KAFKA is not ours to stop')
  }
  return {
    ...topicTools(server),
    server,
    port: Number(server.slice(server.lastIndexOf(':') + 1)),
    isOwn: false,
    pid: undefined,
    start: () => Promise.reject(refuse()),
    stop: () => Promise.reject(refuse()),
    kill: () => Promise.reject(refuse()),
    freeze: refuse,
    thaw: refuse,
    remove: () => Promise.resolve(),
  }
}

interface Places {
  readonly folder: string
  readonly port: number
  readonly controllerPort: number
  readonly extraPort: number
}

function serverProperties({ folder, port, controllerPort, extraPort }: Places, { listener }: BrokerOptions): string {
  const extra = listener ? [[listener.name, `127.0.0.1:${extraPort}`] as const] : []
  const listeners = [['PLAINTEXT', `127.0.0.1:${port}`] as const, ...extra].map(([name, at]) => `${name}://${at}`)
  const settings: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controllerPort}`].join(','),
    'advertised.listeners': listeners.join(','),
    'log.dirs': join(folder, 'log'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
    'share.coordinator.state.topic.replication.factor': '1',
    // a killed broker is taken back only when its old session has ended
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'num.partitions': '2',
    'auto.create.topics.enable': 'true',
    'log.cleaner.dedupe.buffer.size': '4194304',
    'log.cleaner.backoff.ms': '200',
    'log.retention.check.interval.ms': '500',
    'log.initial.task.delay.ms': '200',
    'file.delete.delay.ms': '100',
    ...listener?.settings,
  }
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

type TopicTools = Pick<TestKafka, 'createTopic' | 'deleteTopic' | 'deleteRecords' | 'removeMembers'>

function topicTools(server: string): TopicTools {
  async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Admin({ clientId: 'lcclf-test', bootstrapBrokers: [server], retries: 5, retryDelay: 200 })
    try {
      return await work(admin)
    } finally {
      await admin.close()
    }
  }
  return {
    async createTopic(name, partitions = 2, configs = {}) {
      const create = (): Promise<unknown> =>
        withAdmin((admin) =>
          admin.createTopics({
            topics: [name],
            partitions,
            replicas: 1,
            configs: Object.entries(configs).map(([configName, value]) => ({ name: configName, value })),
          }),
        )
      await onceUnfenced(create)
      await untilLeadersAreThere(server, name, partitions)
      return name
    },
    async removeMembers(groupId) {
      await withAdmin(async (admin) => {
        const group = (await admin.describeGroups({ groups: [groupId] })).get(groupId)
        const members = [...(group?.members.keys() ?? [])].map((memberId) => ({ memberId }))
        await admin.removeMembersFromConsumerGroup({ groupId, members })
      })
    },
    async deleteRecords(topic, partition, before) {
      await withAdmin((admin) =>
        admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: before }] }] }),
      )
    },
    async deleteTopic(name) {
      await withAdmin((admin) => admin.deleteTopics({ topics: [name] }))
    },
  }
}

async function untilLeadersAreThere(server: string, topic: string, partitions: number): Promise<void> {
  const admin = new Admin({ clientId: 'lcclf-test', bootstrapBrokers: [server], retries: 0 })
  try {
    for (;;) {
      try {
        const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
        if (metadata.topics.get(topic)?.partitionsCount === partitions) return
      } catch {
        // not there yet
      }
      await pause(50)
    }
  } finally {
    await admin.close()
  }
}

/** The port is open before the broker serves: it has started when it tells about itself. */
async function untilItAnswers(port: number): Promise<void> {
  while (!(await isOpen(port))) await pause(100)
  for (;;) {
    const admin = new Admin({
      clientId: 'lcclf-test',
      bootstrapBrokers: [`127.0.0.1:${port}`],
      retries: 0,
      timeout: 1000,
    })
    try {
      const metadata = await admin.metadata({ topics: [] })
      if (metadata.brokers.size > 0) return
    } catch {
      // still starting
    } finally {
      await admin.close()
    }
    await pause(100)
  }
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) =>
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)),
        ),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
