// Batches that wait for a thread go to it together: the more rows the kernel has at once, the faster it is.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'

/** Rows to classify: rowCount × features, row-major. */
export interface Rows {
  readonly matrix: FeatureMatrix
  readonly rowCount: number
}

/** Groups a thread holds: the one it does, and the next, so that it never waits for this thread between two. */
const GROUPS_A_THREAD = 2

/** So many batches have to be under way for each thread: two groups of four, and as many that are read or written. */
export const BATCHES_A_THREAD = 8 * GROUPS_A_THREAD

interface Waiting<Answer> extends Rows {
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/**
 * Hands batches to threads: alone while threads are free, together as soon as there are more.
 *
 * @param run classifies a group and answers each of its batches
 * @param mostRows of a group; a batch may have more
 * @returns what classifies a batch
 */
export function createGroups<Answer>(
  run: (group: readonly Rows[]) => Promise<readonly Answer[]>,
  { threads, mostRows }: { threads: number; mostRows: number },
): (rows: Rows) => Promise<Answer> {
  const waiting: Waiting<Answer>[] = []
  let held = 0

  /** No more than its share, so that the last groups are small and all threads end at the same time. */
  function nextGroup(): Waiting<Answer>[] {
    const share = Math.max(1, Math.floor(waiting.length / threads))
    let rows = waiting[0]!.rowCount
    let count = 1
    while (count < share && rows + waiting[count]!.rowCount <= mostRows) rows += waiting[count++]!.rowCount
    return waiting.splice(0, count)
  }

  function handOut(): void {
    while (held < GROUPS_A_THREAD * threads && waiting.length > 0) {
      const group = nextGroup()
      held++
      const done = (settle: (batch: Waiting<Answer>, index: number) => void): void => {
        held--
        handOut()
        group.forEach(settle)
      }
      run(group.map(({ matrix, rowCount }) => ({ matrix, rowCount }))).then(
        (answers) => done((batch, index) => batch.resolve(answers[index]!)),
        (error: unknown) => done((batch) => batch.reject(error)),
      )
    }
  }

  return (rows) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...rows, resolve, reject })
      handOut()
    })
}
