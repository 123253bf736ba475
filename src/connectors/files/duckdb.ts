// DuckDB as a reader of Parquet files: one instance for a run, or one locked to a single file for the user's own SQL.
import { readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type * as Library from '@duckdb/node-api'
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { messageOf, ServiceError } from '../../errors.ts'
import { firstLine } from '../../formats/shown-text.ts'
import { collectGarbage } from '../../garbage.ts'
import { leftBehind, ownerMark } from '../../owner.ts'

/** A lease on an instance. */
export type DuckDb = ReturnType<typeof duckDbOf>

/** of the folder for what a query cannot hold in memory; DuckDB makes and removes it */
const spillPrefix = 'lcclf-duckdb-'

const settings: Record<string, string> = {
  // one thread reads faster than anything downstream takes rows, and each further one holds a page of every column
  threads: '1',
  // a bound for what a query of the user's own may sort or join; reading alone takes about 2 MB a column
  memory_limit: '4GB',
  enable_external_file_cache: 'false',
  // nothing is ever fetched from the network
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  temp_directory: join(tmpdir(), `${spillPrefix}${ownerMark()}`),
}

/** Inputs are opened and closed one after the other: the instance waits a little for the next. */
const lingerMs = 1000

let shared: { instance: Promise<DuckDBInstance>; leases: number } | undefined

/** Leases the instance that all inputs of a run share: making one takes 20 ms, and a run may have hundreds of inputs. */
export async function leaseDuckDb(): Promise<DuckDb> {
  shared ??= { instance: create(), leases: 0 }
  const lease = shared
  lease.leases++
  const instance = await lease.instance.catch((error: unknown) => {
    if (shared === lease) shared = undefined
    throw error
  })
  return duckDbOf(instance, () => {
    lease.leases--
    setTimeout(() => {
      if (lease.leases > 0 || shared !== lease) return
      shared = undefined
      instance.closeSync()
    }, lingerMs).unref()
  })
}

/**
 * An instance of its own that can read one file and nothing else, for SQL that the user wrote: no other file, no network,
 * no setting can be reached from it.
 */
export async function openLockedDuckDb(path: string): Promise<DuckDb> {
  const instance = await create()
  const connection = await instance.connect()
  await connection.run(`SET allowed_paths = [${sqlText(globFree(path))}, ${sqlText(path)}]`)
  await connection.run('SET enable_external_access = false')
  await connection.run('SET lock_configuration = true')
  connection.closeSync()
  return duckDbOf(instance, () => instance.closeSync())
}

function duckDbOf(instance: DuckDBInstance, release: () => void) {
  let isReleased = false
  return {
    connect: (): Promise<DuckDBConnection> => instance.connect(),
    /** Gives it back, and closes the instance with the last lease; harmless twice. */
    release(): void {
      if (!isReleased) release()
      isReleased = true
    },
  }
}

/** What queries of processes that were killed left behind. */
async function removeAbandonedSpills(): Promise<void> {
  for (const name of leftBehind(await readdir(tmpdir()), spillPrefix)) {
    await rm(join(tmpdir(), name), { recursive: true, force: true })
  }
}

async function create(): Promise<DuckDBInstance> {
  // somebody else's stay
  await removeAbandonedSpills().catch(() => undefined)
  const { DuckDBInstance } = await library()
  return DuckDBInstance.create(':memory:', settings)
}

/** @throws ServiceError where it was not installed, or not for this machine */
async function library(): Promise<typeof Library> {
  try {
    const library = await import('@duckdb/node-api')
    // in dist/ it is bundled, and all its names are those of the default
    return 'DuckDBInstance' in library ? library : (library as { default: typeof Library }).default
  } catch (cause) {
    throw new ServiceError(`DuckDB cannot be loaded on this machine: ${firstLine(messageOf(cause))}`, {
      hint: 'It reads Parquet files and compares results. npm install -g lcclf brings it; the Python package comes without.',
      cause,
    })
  }
}

/** The table function that reads one file, whatever characters its name has. */
export function readParquet(path: string): string {
  const options = 'binary_as_string = true, hive_partitioning = false, union_by_name = false'
  return `read_parquet(${sqlText(globFree(path))}, ${options})`
}

/** A path that DuckDB will not take for a pattern. */
export function globFree(path: string): string {
  return path.replace(/[[*?]/g, '[$&]')
}

export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

// Young garbage, collected before it is much: chunks of DuckDB hold memory that V8 does not see.

/** So many calls to one collection: fewer save little time, more let some 20 MB of chunks pile up for each. */
const callsACollection = 4

let calls = 0

/**
 * Called for each chunk. Measured on 1,000,000 rows × 152 columns: 80 MB less at the peak, at no loss of speed.
 */
export function collectGarbageSoon(): void {
  if (++calls % callsACollection === 0) collectGarbage('young')
}
