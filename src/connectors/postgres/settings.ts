// What is needed to reach a Postgres server, and what may be asked of it.

/** As libpq has them: how much TLS is wanted, and how much of it is checked. */
export const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const

/** How to reach a server, complete: nothing is looked up in the environment later on. */
export interface ConnectionSettings {
  /** a name, an address, or the folder of a socket (then it begins with `/`) */
  readonly host: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** A function, so that settings can be printed, as JSON or otherwise, and never show it. */
  readonly password: () => string | undefined
  readonly ssl: {
    readonly mode: (typeof sslModes)[number]
    /** paths of PEM files */
    readonly rootCertificate: string | undefined
    readonly certificate: string | undefined
    readonly key: string | undefined
  }
  /** milliseconds, 0 for none; undefined leaves each use its own default */
  readonly statementTimeout: number | undefined
  /** milliseconds */
  readonly connectTimeout: number
  readonly applicationName: string
  /** as libpq's `options`; not understood by PgBouncer */
  readonly options: string | undefined
  /** milliseconds during which a lost connection is retried */
  readonly patience: number
}

/** The survey's tables as they were from 2021 on, with names, or as they are since 2025, with numbers and partitions. */
export const tableGenerations = ['alerce-2021', 'multisurvey'] as const
export type TableGeneration = (typeof tableGenerations)[number]

/** A database, as it is named and as it is reached. */
interface PostgresPlace {
  readonly kind: 'postgres'
  /** without any password: it may be shown */
  readonly address: string
  readonly connection: ConnectionSettings
  /** which tables it has; recognised by their columns if undefined */
  readonly tables?: TableGeneration | undefined
}

/** How the tables with numbers are read; where nothing is chosen, objects of survey 0, which is ZTF. */
export interface SurveyChoice {
  /** the sid of the objects */
  readonly sid?: number | undefined
  /** how ids are given out: as they are stored, or as ZTF's names where they stand for one */
  readonly names?: 'integers' | 'ztf' | undefined
}

/** What is read: the pipeline's long feature table, or any query with one row per object. */
export type PostgresReading =
  | {
      readonly kind: 'table'
      /** as it is written in SQL, with or without its schema */
      readonly table: string
      /** the feature version; undefined if the table has only one */
      readonly version: string | undefined
      /** a file with one oid per line: only those objects, in its order */
      readonly oidsFile: string | undefined
      /** only these objects; wins over the file */
      readonly oids?: readonly string[] | undefined
      readonly survey?: SurveyChoice | undefined
    }
  | { readonly kind: 'query'; readonly sql: string }

export type TableReading = Extract<PostgresReading, { kind: 'table' }>

/** A database that rows come from. */
export type PostgresSourceSpec = PostgresPlace & { readonly reading: PostgresReading }

/** Results that are read back from where they were written: a table with the columns of `probability`. */
export interface PostgresResultsSpec extends PostgresPlace {
  readonly results: {
    /** as it is written in SQL, with or without its schema */
    readonly table: string
    /** undefined if the table has only one */
    readonly classifierVersion: string | undefined
    /** the name of the model's product, where several models have that version; numbered tables only */
    readonly classifier?: string | undefined
    readonly survey?: SurveyChoice | undefined
  }
}

/** What happens to an object that has no row in the table `object`. */
export type MissingObject = 'wait' | 'reject' | 'fail'

/** A database that results go to. */
export interface PostgresSinkSpec extends PostgresPlace {
  readonly missingObject: MissingObject
  /** milliseconds that `wait` waits for the rows of a batch; 4 seconds if undefined */
  readonly objectWait?: number | undefined
  /** the row of `step` that is written if there is none with its id: which program wrote here */
  readonly step?: ReturnType<typeof stepFromEnvironment> | undefined
  /** of the tables of 2025, the survey that the objects are of; 0 (ZTF) if undefined */
  readonly sid?: number | undefined
  /** connections that share the objects of a batch, each with a transaction of its own; 1 if undefined */
  readonly connections?: number | undefined
  /** the calibrated product is written too, as a classifier of its own */
  readonly calibrated?: boolean | undefined
}

/** The server and the database as messages name them, without any password. */
export function serverName({ host, port, user, database }: ConnectionSettings): string {
  const place = host.startsWith('/') ? '' : `${host.includes(':') ? `[${host}]` : host}:${port}`
  const socket = host.startsWith('/') ? `?host=${host}&port=${port}` : ''
  return `postgres://${encodeURIComponent(user)}@${place}/${encodeURIComponent(database)}${socket}`
}

/** The row of `step` as the original names it by its variables, with its defaults. */
export function stepFromEnvironment(env: Readonly<Record<string, string | undefined>>) {
  return {
    stepId: env['STEP_ID'] || 'lc_classification',
    name: env['STEP_NAME'] || 'late classification',
    version: env['STEP_VERSION'] || 'dev',
    comments: env['STEP_COMMENTS'] ?? '',
  }
}
