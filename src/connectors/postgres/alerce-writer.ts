// Batches into the Probability, Taxonomy and Step tables of 2021.
import type { ClassifiedBatch } from '../../pipeline/batch.ts'
import type { SinkContext, WriteOutcome } from '../../pipeline/sink.ts'
import { type Session, transaction } from './client/session.ts'
import { type PostgresSinkSpec, serverName } from './settings.ts'
import { shareWork } from './share-work.ts'
import type { TableWriter } from './table-writer.ts'
import { ensureStep, ensureTaxonomy, inspectForWriting } from './tables/open-tables.ts'
import { pickObjects, placesOf, selectRows } from './wanted-rows.ts'
import { additionOf, createMissingObjects, type WriteContext, writeObjects } from './write-batch.ts'

const usualObjectWait = 4000

/**
 * Looks at the tables, writes the taxonomy and the step if they are absent.
 *
 * @throws ServiceError without a table or privilege; ModelError if the taxonomy is another model's
 */
export async function openAlerceWriter(
  sessions: readonly Session[],
  spec: PostgresSinkSpec,
  context: SinkContext,
  statementTimeout: number,
): Promise<TableWriter> {
  const { settings } = sessions[0]!
  const { tables, notes } = await prepare(sessions[0]!, spec, context, statementTimeout)
  const { classifierVersion } = context
  const places = placesOf(context.taxonomy)
  const writing = { tables, classifierVersion, places, run: new Date().toISOString(), statementTimeout }
  const seen = { withoutHistory: !tables.hasHistory, unguarded: 0 }
  let advice: string | undefined
  return {
    get notes() {
      return [...historyNotes(serverName(settings), seen), ...notes]
    },
    async write(batch) {
      const { hasHistory, unknownOid, ...outcome } = await writeBatch(batch, spec, sessions, writing)
      seen.withoutHistory ||= !hasHistory
      seen.unguarded += outcome.unguarded ?? 0
      if (unknownOid === undefined) return outcome
      // the same words for every batch
      advice ??= `${serverName(settings)}: ${additionOf(tables, unknownOid)}`
      return { ...outcome, advice }
    },
  }
}

function prepare(session: Session, spec: PostgresSinkSpec, context: SinkContext, statementTimeout: number) {
  return session.run((connection) =>
    transaction(connection, { access: 'read write', statementTimeout }, async () => {
      const tables = await inspectForWriting(connection, spec.step !== undefined)
      await ensureTaxonomy(connection, context.taxonomy, context.classifierVersion)
      const stepNote = spec.step && (await ensureStep(connection, spec.step))
      return { tables, notes: stepNote === undefined ? [] : [`${serverName(session.settings)}: ${stepNote}`] }
    }),
  )
}

function historyNotes(server: string, seen: { withoutHistory: boolean; unguarded: number }): string[] {
  const absent = `${server} has no history table: an older alert that is replayed replaces a newer classification (lcclf db upgrade adds it)`
  const unguarded = `${server}: ${seen.unguarded} objects were stored without a row in lcclf_history and were written whether this run's alerts were newer or not; from now on the newer alert wins`
  return [...(seen.withoutHistory ? [absent] : []), ...(seen.unguarded > 0 ? [unguarded] : [])]
}

async function writeBatch(
  batch: ClassifiedBatch,
  spec: PostgresSinkSpec,
  sessions: readonly Session[],
  writing: WriteContext,
): Promise<WriteOutcome & { readonly hasHistory: boolean; readonly unknownOid: string | undefined }> {
  const { places } = writing
  const { wanted, refused, superseded } = selectRows(batch, places, spec.address)
  const missing = createMissingObjects(writing.tables, spec.missingObject, spec.objectWait ?? usualObjectWait)
  const written = await shareWork(sessions, wanted.oids.length, (session, share) =>
    writeObjects(session, pickObjects(wanted, share), missing, writing),
  )
  const sum = (key: 'objects' | 'superseded' | 'unguarded'): number => written.reduce((n, share) => n + share[key], 0)
  const reason = `no row in table ${writing.tables.objectTable ?? 'object'}`
  // all rows of these objects, not only the newest: nothing newer is stored that could supersede the others
  const withoutObject = batch.oids.flatMap((oid, row) =>
    missing.refused.has(oid) ? [{ oid, where: spec.address, reason, message: batch.messages?.[row] }] : [],
  )
  const unguarded = sum('unguarded')
  return {
    objects: sum('objects'),
    rows: sum('objects') * places.length,
    refused: [...refused, ...withoutObject],
    superseded: superseded - (withoutObject.length - missing.refused.size) + sum('superseded'),
    ...(unguarded > 0 ? { unguarded } : {}),
    hasHistory: written.every(({ hasHistory }) => hasHistory),
    unknownOid: withoutObject[0]?.oid,
  }
}
