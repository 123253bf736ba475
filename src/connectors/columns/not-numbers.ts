// Why a row is rejected that has values which are no numbers.

/** One of them. */
export interface NotNumber {
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
