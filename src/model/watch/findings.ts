// Tests that have found something → causes: what began together is one, and what follows from another is no alarm.

/** A test that has found something. */
export interface Finding {
  readonly kind: 'missing' | 'present' | 'values' | 'classes'
  /** a feature, or a class of all levels counted through */
  readonly item: number
  /** the series of its tests */
  readonly series: number
  readonly alternative: number
  /** the first block that is not as usual */
  readonly block: number
  /** evidence, in parts of what would be enough */
  readonly share: number
}

/** blocks within which two things begin together */
const together = 10

/** Findings of one kind that began together, the strongest first; each list is one cause. */
export function causesOf(findings: readonly Finding[]): Finding[][] {
  const causes: Finding[][] = []
  for (const finding of [...findings].sort((a, b) => a.block - b.block)) {
    const cause = causes.find(([one]) => one!.kind === finding.kind && finding.block - one!.block <= together)
    if (cause) cause.push(finding)
    else causes.push([finding])
  }
  return causes.map((cause) => cause.sort((a, b) => b.share - a.share))
}

/** Where a cause began: with its strongest finding. */
export function beginOf(cause: readonly Finding[]): number {
  return cause[0]!.block
}

/** blocks after the begin of missing features within which classes that move are a consequence, and before it */
const consequenceAfter = 50

/** Whether something that began with `block` may follow from what began with `cause`. */
export function mayFollow(block: number, cause: number): boolean {
  return block >= cause - together && block <= cause + consequenceAfter
}
