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
