// What a topic gets, and how it is framed: `?as=`, `?framing=` and what goes with them in an output's address.
import { UsageError } from '../../errors.ts'
import type { KafkaAddress } from './address.ts'
import { type Framing, framings } from './framing.ts'

/** What an address says of the messages that go there. */
export interface OutputForm {
  /** whether a value carries its schema (an Avro container) or is the bare datum; `container` if undefined */
  readonly framing?: Framing | undefined
  /** what is sent: the step's own messages, or commands to the program that writes the tables; `messages` if undefined */
  readonly as?: MessageKind | undefined
  /** of `scribe-multisurvey` alone */
  readonly numbers?: SurveyNumbers | undefined
}

/** What the survey's tables of today call what a command names. */
export interface SurveyNumbers {
  /** `ztf` if undefined */
  readonly survey?: string | undefined
  /** 0, which is ZTF, if undefined */
  readonly sid?: number | undefined
  /** classifier name → its id, for each level of the model; those of the survey's model of 2025 if undefined */
  readonly classifierIds?: ReadonlyMap<string, number> | undefined
}

/**
 * What a topic gets. `scribe`: a command an object, of the product alone; `scribe-top-bottom`: one an object and level, the
 * product first, then the branches, then the top; `scribe-multisurvey`: one a row of today's tables.
 */
export type MessageKind = (typeof messageKinds)[number]
const messageKinds = ['messages', 'scribe', 'scribe-top-bottom', 'scribe-multisurvey'] as const

/** What an address says of it. @throws UsageError for a word that is not known, or numbers that nothing would show */
export function outputForm({ shown, output }: Pick<KafkaAddress, 'shown' | 'output'>): OutputForm {
  const refuse = (why: string): never => {
    throw new UsageError(`${shown}: ${why}`)
  }
  const oneOf = <Word extends string>(name: string, text: string | undefined, words: readonly Word[]) =>
    text === undefined
      ? undefined
      : (words.find((word) => word === text) ?? refuse(`${name}=${text} is not ${words.join(', ')}`))
  const framing = oneOf('framing', output.get('framing'), framings)
  const as = oneOf('as', output.get('as'), messageKinds)
  const form = { ...(framing && { framing }), ...(as && { as }) }
  const [survey, sid, ids] = (['survey', 'sid', 'classifier_ids'] as const).map((name) => output.get(name))
  if (survey === undefined && sid === undefined && ids === undefined) return form
  if (as !== 'scribe-multisurvey') refuse('survey, sid and classifier_ids are only for as=scribe-multisurvey')
  const numbers = {
    survey,
    sid: sid === undefined ? undefined : (smallint(sid) ?? refuse(`sid=${sid}: expected a number from 0 to 32767`)),
    classifierIds: ids === undefined ? undefined : classifierIdsOf(ids, refuse),
  }
  if (survey === '') refuse('survey= names none')
  if (survey === undefined && (numbers.sid ?? 0) > 0) refuse(`sid=${sid} is not ztf: name its survey, as &survey=NAME`)
  return { ...form, numbers }
}

function classifierIdsOf(text: string, refuse: (why: string) => never): ReadonlyMap<string, number> {
  const ids = new Map<string, number>()
  for (const pair of text.split(',')) {
    const [, name, number = ''] = /^(.+):(\d+)$/.exec(pair) ?? []
    const id = smallint(number)
    if (name === undefined || id === undefined) return refuse(`classifier_ids: ${pair} is not NAME:ID`)
    if (ids.has(name) || [...ids.values()].includes(id)) refuse(`classifier_ids: ${pair} repeats a name or an id`)
    ids.set(name, id)
  }
  return ids
}

function smallint(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 32_767 ? Number(text) : undefined
}
