// A real S3 server on loopback: versitygw, built once with `go install` into .cache/.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { takeLock } from '../../src/transfer/lock.ts'

const version = 'v1.8.0'
const cache = fileURLToPath(new URL('../../.cache', import.meta.url))
const binaries = join(cache, `versitygw-${version}`)
const binary = join(binaries, process.platform === 'win32' ? 'versitygw.exe' : 'versitygw')

/** See startS3Server. */
export interface S3Server {
  readonly endpoint: string
  readonly port: number
  /** what a user has in the environment to use it */
  readonly environment: Record<string, string>
  /** the folder of a bucket: an object is a file there */
  bucketFolder(name: string): string
  close(): void
}

/**
 * Builds the server if need be. Answers why it cannot be had, or undefined if it can; where CI is set that is an error,
 * so that nobody takes a skipped test for a passed one.
 */
export async function whyNoS3Server(): Promise<string | undefined> {
  try {
    await build()
    return undefined
  } catch (error) {
    const why = `no S3 server: versitygw could not be built (${error instanceof Error ? error.message : String(error)})`
    if (process.env['CI']) throw new Error(why, { cause: error })
    console.warn(why)
    return why
  }
}

async function build(): Promise<void> {
  if (existsSync(binary)) return
  // several test files may want it at once
  const lock = await takeLock(`${binaries}.lock`)
  try {
    if (existsSync(binary)) return
    const env = { ...process.env, GOBIN: `${binaries}.partial` }
    const module = `github.com/versity/versitygw/cmd/versitygw@${version}`
    await promisify(execFile)('go', ['install', module], { env, timeout: 20 * 60_000 })
    const { renameSync } = await import('node:fs')
    renameSync(`${binaries}.partial`, binaries)
  } finally {
    await lock.release()
  }
}

/** Starts a server with buckets of its own, which are files of a temporary folder. */
export async function startS3Server(buckets: readonly string[]): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'lcclf-s3-'))
  const data = join(folder, 'data')
  const sidecar = join(folder, 'sidecar')
  for (const path of [sidecar, ...buckets.map((name) => join(data, name))]) mkdirSync(path, { recursive: true })
  const [access, secret] = ['tester', randomBytes(12).toString('hex')]
  const port = await freePort()
  const args = ['--access', access, '--secret', secret, '--port', `127.0.0.1:${port}`, '--quiet']
  // metadata in files beside the data: not every file system of a test machine has attributes
  const child = spawn(binary, [...args, 'posix', '--sidecar', sidecar, data], { stdio: 'ignore' })
  const endpoint = `http://127.0.0.1:${port}`
  await answering(endpoint)
  return {
    endpoint,
    port,
    environment: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: access,
      AWS_SECRET_ACCESS_KEY: secret,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: join(folder, 'no-config'),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-credentials'),
    },
    bucketFolder: (name) => join(data, name),
    close() {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answering(endpoint: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    if (await fetch(endpoint).catch(() => undefined)) return
    await delay(50)
  }
  throw new Error(`the S3 server at ${endpoint} does not answer`)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}
