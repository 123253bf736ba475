// What every sink that is durable on finish promises; run for each format and layout.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClassifiedBatch, InputSchema, OidType } from '../../src/pipeline/batch.ts'
import type { Layout } from '../../src/connectors/address.ts'
import type { Sink, SinkContext } from '../../src/pipeline/sink.ts'
import { contextOf, delicateBatch, flatTaxonomy, goldenBatch } from '../support/classified-samples.ts'
import { expectedRows, type Row } from '../connectors/files/expected-rows.ts'

/** One place to write to, new for each test. */
export interface SinkPlace {
  readonly layout: Layout
  /** whether it can hold an object of this id; absent: any. The others it refuses by name */
  readonly takes?: (oid: string) => boolean
  open(context: SinkContext): Promise<Sink>
  isPublished(): Promise<boolean>
  /** whatever an output that was not published has left there */
  leftovers(): Promise<readonly string[]>
  readBack(schema: InputSchema): Promise<Row[]>
  remove(): Promise<void>
}

const oidTypes: readonly OidType[] = ['string', 'int32', 'int64', 'uint32', 'uint64']
const withCandid: InputSchema = { oidType: 'string', hasCandid: true }

/** @param place makes a place nobody has written to */
export function testSink(name: string, place: () => Promise<SinkPlace>): void {
  describe(name, () => {
    let here: SinkPlace
    let opened: Sink[] = []

    beforeEach(async () => {
      here = await place()
    })

    afterEach(async () => {
      await Promise.all(opened.map((sink) => sink.close()))
      opened = []
      await here.remove()
    })

    async function open(context: SinkContext): Promise<Sink> {
      const sink = await here.open(context)
      opened.push(sink)
      return sink
    }

    async function publishAll(context: SinkContext, batches: readonly ClassifiedBatch[]): Promise<Sink> {
      const sink = await open(context)
      for (const batch of batches) {
        const { refused } = await sink.write(batch)
        const odd = batch.oids.filter((oid) => here.takes?.(oid) === false && context.schema.oidType === 'string')
        expect(refused.map(({ oid }) => oid)).toStrictEqual(odd)
      }
      await sink.finish()
      await sink.publish()
      await sink.close()
      return sink
    }

    async function expectBack(context: SinkContext, batches: readonly ClassifiedBatch[]): Promise<void> {
      const expected = batches
        .flatMap((batch) => expectedRows(here.layout, batch, context.schema))
        .filter(({ oid }) => typeof oid !== 'string' || here.takes?.(oid) !== false)
      // toStrictEqual tells −0 from 0
      const back = await here.readBack(context.schema)
      expect(back.map((row) => Object.keys(row))).toStrictEqual(expected.map((row) => Object.keys(row)))
      expect(back).toStrictEqual(expected)
    }

    it('holds what was written, in order, over batches of any size', async () => {
      const batches = [goldenBatch(0, 10), goldenBatch(10, 10), goldenBatch(10, 11), goldenBatch(11, 24)]
      await publishAll(contextOf(withCandid), batches)
      await expectBack(contextOf(withCandid), batches)
    })

    it.each(oidTypes)('keeps every bit of values and of %s ids', async (oidType) => {
      const context = contextOf({ oidType, hasCandid: true })
      const batches = [delicateBatch(17, context.schema), delicateBatch(40, context.schema)]
      await publishAll(context, batches)
      await expectBack(context, batches)
    })

    it('has no candid where the input has none', async () => {
      const context = contextOf({ oidType: 'string', hasCandid: false })
      await publishAll(context, [goldenBatch(0, 5)])
      await expectBack(context, [goldenBatch(0, 5)])
    })

    it('takes objects none of which has a candid', async () => {
      const batch = { ...goldenBatch(0, 5), candids: [null, null, null, null, null] }
      await publishAll(contextOf(withCandid), [batch])
      await expectBack(contextOf(withCandid), [batch])
    })

    it('takes a model of one level, with classes that need quoting', async () => {
      const context = contextOf(withCandid, flatTaxonomy)
      const batch = delicateBatch(12, context.schema, flatTaxonomy)
      await publishAll(context, [batch])
      await expectBack(context, [batch])
    })

    it('is valid without a row', async () => {
      await publishAll(contextOf(withCandid), [])
      expect(await here.readBack(withCandid)).toStrictEqual([])
    })

    it('is valid with an empty batch only', async () => {
      await publishAll(contextOf(withCandid), [goldenBatch(3, 3)])
      expect(await here.readBack(withCandid)).toStrictEqual([])
    })

    it('keeps a batch written twice twice', async () => {
      await publishAll(contextOf(withCandid), [goldenBatch(0, 2), goldenBatch(0, 2)])
      await expectBack(contextOf(withCandid), [goldenBatch(0, 2), goldenBatch(0, 2)])
    })

    it('accounts for every object', async () => {
      const sink = await open(contextOf(withCandid))
      const outcome = await sink.write(goldenBatch(0, 7))
      expect(outcome).toStrictEqual({
        objects: 7,
        rows: expectedRows(here.layout, goldenBatch(0, 7), withCandid).length,
        refused: [],
        superseded: 0,
      })
    })

    it('shows nothing before publish, and leaves nothing without it', async () => {
      const sink = await open(contextOf(withCandid))
      await sink.write(goldenBatch(0, 24))
      expect(await here.isPublished()).toBe(false)
      await sink.finish()
      expect(await here.isPublished()).toBe(false)
      await sink.close()
      expect(await here.isPublished()).toBe(false)
      expect(await here.leftovers()).toStrictEqual([])
    })

    it('can be closed in the middle, and twice', async () => {
      const sink = await open(contextOf(withCandid))
      await sink.write(goldenBatch(0, 5))
      await sink.close()
      await sink.close()
      expect(await here.leftovers()).toStrictEqual([])
    })

    it('stays when it is closed after publish, twice', async () => {
      const sink = await publishAll(contextOf(withCandid), [goldenBatch(0, 5)])
      await sink.close()
      await expectBack(contextOf(withCandid), [goldenBatch(0, 5)])
      expect(await here.leftovers()).toStrictEqual([])
    })

    it('names itself when it cannot be written any more', async () => {
      const sink = await open(contextOf(withCandid))
      await sink.close()
      const failure = Promise.resolve()
        .then(() => sink.write(goldenBatch(0, 24)))
        .then(() => sink.finish())
      await expect(failure).rejects.toThrow(sink.address)
    })
  })
}
