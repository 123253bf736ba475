// The counts of a run, and whether they add up.
import type { Reject } from './batch.ts'
import type { WriteOutcome } from './sink.ts'
import type { Delivery, InputIdentity } from './source.ts'

/** What became of the rows of one input: `read = classified + rejected + duplicates`. */
export interface InputCounts extends InputIdentity {
  read: number
  classified: number
  rejected: number
  duplicates: number
  /** rejects by reason */
  reasons: Record<string, number>
  /** why this input was given up, where others were not */
  error?: string
}

/** What became of the objects offered to one output: `offered = objects + filtered + refused + superseded`. */
export interface OutputCounts {
  readonly address: string
  /** what the classifier gave it */
  offered: number
  objects: number
  rows: number
  /** left out because the output was asked for less */
  filtered: number
  refused: number
  superseded: number
  /** why objects were refused */
  readonly reasons: Record<string, number>
}

/** A receipt names at most so many reasons for one input; what is beyond is counted together. */
const namedReasons = 200
const otherReasons = 'other reasons'

/** What the ledger takes from a batch. */
export interface CountedBatch {
  readonly delivery: Pick<Delivery, 'read' | 'rejected' | 'duplicates'>
  readonly classified: number
  readonly outcomes: readonly WriteOutcome[]
}

export type Ledger = ReturnType<typeof createLedger>

const inputCounts = { read: 0, classified: 0, rejected: 0, duplicates: 0 }
const outputCounts = { offered: 0, objects: 0, rows: 0, filtered: 0, refused: 0, superseded: 0 }

/** Keeps the counts of a run. What the source says it read and what the classifier and the sinks had are counted apart. */
export function createLedger() {
  const inputs: InputCounts[] = []
  const outputs: OutputCounts[] = []
  return {
    inputs: inputs as readonly InputCounts[],
    outputs: outputs as readonly OutputCounts[],
    openInput(identity: InputIdentity): InputCounts {
      const counts = { ...identity, ...inputCounts, reasons: {} }
      inputs.push(counts)
      return counts
    },
    openOutput(address: string): OutputCounts {
      const counts = { address, ...outputCounts, reasons: {} }
      outputs.push(counts)
      return counts
    },
    /** one batch that went through */
    count(input: InputCounts, to: readonly OutputCounts[], { delivery, classified, outcomes }: CountedBatch): void {
      input.read += delivery.read
      input.classified += classified
      input.duplicates += delivery.duplicates
      input.rejected += delivery.rejected.length
      for (const { reason } of delivery.rejected) countReason(input.reasons, reason)
      to.forEach((output, i) => {
        const outcome = outcomes[i]!
        output.offered += classified
        output.objects += outcome.objects
        output.rows += outcome.rows
        output.filtered += outcome.filtered ?? 0
        output.refused += outcome.refused.length
        output.superseded += outcome.superseded
        for (const { reason } of outcome.refused) countReason(output.reasons, reason)
      })
    },
    /** adds the counts of another ledger with the same outputs */
    absorb(other: { readonly inputs: readonly InputCounts[]; readonly outputs: readonly OutputCounts[] }): void {
      inputs.push(...other.inputs)
      outputs.forEach((output, i) => {
        const more = other.outputs[i]!
        for (const key of keysOf(outputCounts)) output[key] += more[key]
        for (const [reason, times] of Object.entries(more.reasons)) countReason(output.reasons, reason, times)
      })
    },
    get isBalanced(): boolean {
      return (
        inputs.every((input) => input.read === input.classified + input.rejected + input.duplicates) &&
        outputs.every(({ offered, objects, filtered, refused, superseded }) => {
          return offered === objects + filtered + refused + superseded
        })
      )
    },
    get totals(): typeof inputCounts & { refused: number } {
      const totals = { ...inputCounts, refused: outputs.reduce((n, output) => n + output.refused, 0) }
      for (const input of inputs) for (const key of keysOf(inputCounts)) totals[key] += input[key]
      return totals
    },
  }
}

function keysOf<T extends object>(counts: T): (keyof T)[] {
  return Object.keys(counts) as (keyof T)[]
}

function countReason(reasons: Record<string, number>, reason: Reject['reason'], times = 1): void {
  const isKnown = Object.hasOwn(reasons, reason) || Object.keys(reasons).length < namedReasons
  const key = isKnown ? reason : otherReasons
  reasons[key] = (Object.hasOwn(reasons, key) ? reasons[key]! : 0) + times
}
