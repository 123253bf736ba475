// What the night watch has to say: something that is not as usual, from its first object to its last.

/** An object as a person finds it again. */
export interface WatchedObject {
  readonly oid: string
  /** decimal digits; null where it has none */
  readonly candid: string | null
  /** its place among the objects of this process, from 1 */
  readonly number: number
  /** when it was last seen, or its message was written: ISO 8601, UTC; null where nothing says so */
  readonly time: string | null
  /** the message it came in */
  readonly message: { readonly topic: string; readonly partition: number; readonly offset: number } | null
}

/**
 * `missing`: features are null far more often than usual; `present`: far less often; `values`: values lie where they seldom do,
 * as after a change of unit or sign; `classes`: classes have other shares than usual, or margins are.
 */
export type AlarmKind = 'missing' | 'present' | 'values' | 'classes'

/** A share that is not as usual. */
export interface ShareShift {
  /** the `classifier_name` of the level, or `margin` */
  readonly level: string
  /** a class of the level, or an interval of margins */
  readonly class: string
  readonly usual: number
  readonly observed: number
}

/** Something that is not as usual. One cause is one alarm, however many features or classes it moves. */
export interface Alarm {
  /** the same for as long as it lasts, also after a restart */
  readonly id: string
  readonly kind: AlarmKind
  /** families of the features, in the model's order; of `classes` the levels */
  readonly families: readonly string[]
  /** of `missing`, `present`, `values` */
  readonly features: readonly string[]
  /** of `classes`, the largest shift first; empty of others */
  readonly shares: readonly ShareShift[]
  /** shares of objects, as means over the features or of the first of `shares`; null where too little is known yet */
  readonly usual: number | null
  readonly observed: number
  /** about the first object that is not as usual: within some hundred */
  readonly first: WatchedObject
  /** about the last; null while it lasts */
  readonly last: WatchedObject | null
  /** objects from the first to the last, or until now */
  readonly objects: number
  /** the sentence for people, without a full stop */
  readonly message: string
  /** what followed from it, one sentence each: never an alarm of its own */
  readonly consequences: readonly string[]
}

/** How alarms change. `accepted`: somebody has said that this is how it is from now on. */
export interface AlarmChange {
  readonly event: 'begun' | 'consequence' | 'ended' | 'accepted'
  readonly alarm: Alarm
  /** the change in a sentence */
  readonly text: string
}

/** What the watch sees now; numbers are of the latest 10,000 objects. */
export interface WatchView {
  readonly alarms: readonly Alarm[]
  /** alarms that have begun since the start, by kind */
  readonly begun: ReadonlyMap<AlarmKind, number>
  /** objects that the usual was learned from */
  readonly learned: number
  /** the mean of the null rates of a family's features; 40 families at most, the rest as `others` */
  readonly familyNullRates: ReadonlyMap<string, number>
  /** null rates of the features that are missing now */
  readonly missingFeatures: ReadonlyMap<string, number>
  /** of objects that a level counts: of a branch, those whose top class it is */
  readonly classShares: readonly { readonly level: string; readonly class: string; readonly share: number }[]
  /** since the start: how far the product's most probable class is before the second */
  readonly margins: {
    /** upper ends of the intervals */
    readonly upTo: readonly number[]
    /** objects by interval */
    readonly objects: readonly number[]
    readonly sum: number
  }
}
