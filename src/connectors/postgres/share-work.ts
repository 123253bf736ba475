// The objects of a batch, shared among connections.
import type { Session } from './client/session.ts'

/**
 * Gives neighbouring objects to one connection each, so that each object is in one share, and so in one transaction. All of
 * them end before an error is reported: none may go on behind our back.
 *
 * @param count how many objects there are
 */
export async function shareWork<T>(
  sessions: readonly Session[],
  count: number,
  work: (session: Session, objects: readonly number[]) => Promise<T>,
): Promise<T[]> {
  const objects = Array.from({ length: count }, (_, i) => i)
  const size = Math.ceil(count / sessions.length)
  const shares = sessions
    .map((session, i) => ({ session, share: objects.slice(i * size, (i + 1) * size) }))
    .filter(({ share }) => share.length > 0)
  const results = await Promise.allSettled(shares.map(({ session, share }) => work(session, share)))
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
