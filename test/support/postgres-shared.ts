// The one server that all tests share: started when the first of them asks for it, or the one LCCLF_TEST_POSTGRES names.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startOwnPostgres } from './postgres-server.ts'

const folderVariable = 'LCCLF_TEST_POSTGRES_FOLDER'

interface Running {
  readonly url: string
  readonly folder: string
  readonly pid: number
}

/** vitest's global set-up: a folder to agree on, and the end of the server that was started meanwhile. */
export default function setup(): () => Promise<void> {
  const meeting = mkdtempSync(join(tmpdir(), 'lcclf-postgres-shared-'))
  process.env[folderVariable] = meeting
  return async () => {
    const running = readRunning(meeting)
    if (running) await stop(running)
    rmSync(meeting, { recursive: true, force: true })
  }
}

/** The address of a superuser of a server, without a database. */
export async function sharedPostgres(): Promise<string> {
  const external = process.env['LCCLF_TEST_POSTGRES']
  if (external !== undefined && external !== '') {
    const url = new URL(external)
    url.pathname = ''
    return url.href.replace(/\/$/, '')
  }
  const meeting = process.env[folderVariable]
  if (meeting === undefined) return (await startOwnPostgres()).url
  if (isFirst(meeting)) {
    const { url, folder, pid } = await startOwnPostgres({ outlivesUs: true })
    writeFileSync(join(meeting, 'running.part'), JSON.stringify({ url, folder, pid: pid() }))
    renameSync(join(meeting, 'running.part'), join(meeting, 'running'))
  }
  for (let tries = 0; tries < 1200; tries++) {
    const running = readRunning(meeting)
    if (running) return running.url
    await sleep(50)
  }
  throw new Error('the shared postgres was not started by the test that began to')
}

function isFirst(meeting: string): boolean {
  try {
    mkdirSync(join(meeting, 'starting'))
    return true
  } catch {
    return false
  }
}

function readRunning(meeting: string): Running | undefined {
  const path = join(meeting, 'running')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Running) : undefined
}

async function stop({ pid, folder }: Running): Promise<void> {
  process.kill(pid, 'SIGQUIT')
  for (let tries = 0; tries < 400 && isRunning(pid); tries++) await sleep(50)
  if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
