// A delivery that tells what came of its acknowledgement.
import type { Delivery } from '../../pipeline/source.ts'

/**
 * What an acknowledgement has come to: `written`: the outputs have it, and whoever owns the partitions now reads it again;
 * `taken back`: nothing of it is visible, and it is read again.
 */
export type Outcome = 'committed' | 'written' | 'taken back'

/** A delivery that may be acknowledged in vain. */
export interface KafkaDelivery extends Delivery {
  /** undefined before the acknowledgement; without it every one counts as committed */
  readonly outcome?: () => Outcome | undefined
}
