// A column that cannot be read as what it is needed for: an error that can be told from all others, and says which.
import { DataError, type ErrorDetails } from '../../errors.ts'

/** Fix one column. A reader that wants to know everything at once can leave it out and try again. */
export class ColumnError extends DataError {
  /** the input's own name of the column, before any renaming */
  readonly column: string

  constructor(column: string, message: string, details: ErrorDetails = {}) {
    super(message, details)
    this.column = column
  }
}

// Why a row is rejected that has values which are no numbers.

/** One of them. */
interface NotNumber {
  readonly reason: string
  readonly value: string
}

/** The first of a row, and the others where they were asked for. */
export interface NotNumbers extends NotNumber {
  readonly others?: readonly NotNumber[]
}

/** What is known of a row, and a further value of it. */
export function addNotNumber(
  known: NotNumbers | undefined,
  { feature, value, tellsAll = false }: { feature: string; value: string; tellsAll?: boolean | undefined },
): NotNumbers {
  const one = { reason: `${feature} is not a number`, value }
  if (!known) return one
  return tellsAll ? { ...known, others: [...(known.others ?? []), one] } : known
}
