// One line of what `db check` finds.

/** One thing that was looked at. */
export interface TableCheck {
  readonly name: string
  /** `note`: works, but somebody may want to know */
  readonly state: 'ok' | 'note' | 'problem'
  readonly detail: string
  readonly hint?: string
}
