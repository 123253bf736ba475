// A disk that is really full: the table and its indexes on a file system of 40 MB, which only root can mount.
import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { openPostgresSink } from '../../src/connectors/postgres/postgres-sink.ts'
import { batchOf, context, expectedRows, oidsOf, storedRowsQuery } from '../support/postgres-batches.ts'
import { createDatabase } from '../support/postgres-database.ts'
import { startOwnPostgres } from '../support/postgres-server.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

let cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const clean of cleanups.reverse()) await clean()
  cleanups = []
})

/** a folder of its own small file system, or undefined where that is not allowed */
function smallDisk(): string | undefined {
  const folder = temporaryFolder()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  cleanups.push(() => execFileSync('umount', [folder]))
  return folder
}

it('a full disk ends the run with exit code 5, keeps every batch that was written, and no longer matters once there is room', async (test) => {
  const disk = smallDisk()
  if (disk === undefined) return test.skip('mounting a small file system needs root')
  const server = await startOwnPostgres()
  cleanups.push(() => server.stop())
  const { uid, gid } = statSync(join(server.folder, 'data'))
  const place = join(disk, 'tables')
  mkdirSync(place)
  for (const path of [disk, place]) chownSync(path, uid, gid)
  const database = await createDatabase(server.url)
  cleanups.push(() => database.drop())
  await database.query(`CREATE TABLESPACE tiny LOCATION '${place}'`)
  await database.query('ALTER TABLE probability SET TABLESPACE tiny')
  for (const [index] of await database.query("SELECT indexname::text FROM pg_indexes WHERE tablename = 'probability'"))
    await database.query(`ALTER INDEX ${String(index)} SET TABLESPACE tiny`)

  const oids = oidsOf(10_000)
  await database.addObjects(oids)
  const sink = await openPostgresSink(
    { kind: 'postgres', address: 'postgres://here', connection: database.settings, missingObject: 'fail' },
    context,
  )
  cleanups.push(() => sink.close())
  const size = 400
  let written = 0
  const failure = await (async () => {
    for (; written < oids.length; written += size) await sink.write(batchOf(oids.slice(written, written + size), 1))
  })().catch((error: unknown) => error)
  expect(failure).toMatchObject({
    exitCode: 5,
    message: expect.stringContaining("the server's disk is full") as string,
    hint: expect.stringContaining('nothing was left half done') as string,
  })
  expect(written).toBeGreaterThan(0)
  expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids.slice(0, written), 1)))

  execFileSync('mount', ['-o', 'remount,size=400m', disk])
  await sink.write(batchOf(oids.slice(written, written + size), 1))
  expect(await database.query(storedRowsQuery)).toEqual(expectedRows(batchOf(oids.slice(0, written + size), 1)))
})
