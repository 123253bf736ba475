import { describe, expect, it } from 'vitest'
import type { WatchMemory } from '../../../src/model/watch/night-watch.ts'
import { changed, openReplay, taxonomy, wise, without } from './replay.ts'

/** What a watch would leave to the next. */
function memoryOf({ watch }: ReturnType<typeof openReplay>): WatchMemory {
  watch.finish()
  const nights = watch.takeLearned()
  return {
    nights: nights.map(({ night, counts }) => ({ night, nights: 1, ...counts })),
    alarms: watch.savedAlarms(),
    accepted: new Set(),
  }
}

const noWise = without(wise)
const periodic = taxonomy.levels[1]!.classes.indexOf('Periodic')

describe('the night watch', () => {
  it('tells a family that goes missing in one line, since which object, and what follows from it, and its end', async () => {
    const { feed, said, changes, watch } = openReplay({ inputVersion: '27.5.7' })
    await feed(3_210)
    await feed(2_000, noWise)
    expect(said[0]).toMatch(
      /^begun: WISE colours \(W1-W2, W2-W3, g-W2, …\) are missing in 100 % since object 3,201 \(ZTF\w+-3200\), feature version 27\.5\.7; usual \d+ %; \d00 objects so far$/,
    )
    const [begun] = changes
    expect(Math.abs(begun!.alarm.first.number - 3_211)).toBeLessThan(200)
    expect(changes.filter(({ event }) => event === 'begun')).toHaveLength(1)
    expect(watch.view().alarms.map(({ families, kind }) => [kind, families])).toEqual([['missing', ['WISE colours']]])
    expect([...watch.view().missingFeatures.keys()]).toEqual(wise)
    await feed(600)
    expect(said.at(-1)).toMatch(
      /^ended: WISE colours are back to normal after 2,\d00 objects, from ZTF\w+-3\d00 to ZTF\w+-5\d00$/,
    )
    expect(watch.view().alarms).toEqual([])
    expect(changes.at(-1)!.alarm.message).toMatch(/; usual \d+ %; 2,\d00 objects, until ZTF\w+-5\d00$/)
  })

  it('tells of a band that is gone once, and not of each of its families', async () => {
    const { feed, changes } = openReplay()
    await feed(2_500)
    await feed(1_000, (value, feature) => (/_2$/.test(feature) ? -999 : value))
    const begun = changes.filter(({ event }) => event === 'begun')
    expect(begun).toHaveLength(1)
    expect(begun[0]!.text).toMatch(/^\d+ features of \d+ families \(.*, …\) are missing in 100 %/)
  })

  it('tells another unit, and another sign', async () => {
    const larger = openReplay()
    await larger.feed(2_500)
    await larger.feed(
      800,
      changed('Amplitude_1', (value) => value * 1000),
    )
    expect(larger.said[0]).toMatch(
      /^begun: Amplitude_1 \(light-curve statistics\): values are about [\d,]+ times larger than usual \(.*\): another unit\? since object 2,\d01/,
    )
    const turned = openReplay()
    await turned.feed(2_500)
    await turned.feed(
      800,
      changed('Amplitude_2', (value) => -value),
    )
    expect(turned.said[0]).toContain('Amplitude_2 (light-curve statistics): values have the opposite sign')
  })

  it('tells a mix of classes that is another, by the class of the top', async () => {
    const { feed, said, random } = openReplay()
    const mix = (share: number) => ({
      pick: () => (random() < share ? periodic : (periodic + 1 + Math.floor(random() * 2)) % 3),
    })
    await feed(4_000, undefined, mix(0.7))
    expect(said).toEqual([])
    await feed(2_000, undefined, mix(0.37))
    expect(said[0]).toMatch(
      /^begun: the share of Periodic \(lc_classifier_top\) is \d\d % since object [34],\d01 .*; usual (69|70|71) %/,
    )
    expect(said).toHaveLength(1)
  })

  it('says nothing of nights whose mix moves by a fifth, and follows them', async () => {
    const { feed, said, random, watch } = openReplay()
    for (let night = 0; night < 12; night++) {
      const share = 0.5 * (1 + (night % 2 === 0 ? 0.2 : -0.2))
      const pick = () => (random() < share ? periodic : (periodic + 1 + Math.floor(random() * 2)) % 3)
      await feed(2_000, undefined, { mjd: 61_000 + night, pick })
    }
    watch.finish()
    expect(said).toEqual([])
    const learned = watch.takeLearned()
    expect(new Set(learned.map(({ night }) => night)).size).toBe(12)
    expect(watch.learned).toBe(24_000)
  })

  it('goes on after a restart where it was, and says nothing twice', async () => {
    const first = openReplay()
    await first.feed(2_500)
    await first.feed(1_000, noWise)
    const memory = memoryOf(first)
    const second = openReplay({ memory }, 2)
    await second.feed(1_500, noWise)
    expect(second.said.filter((line) => line.startsWith('begun'))).toEqual([])
    await second.feed(600)
    expect(second.said.at(-1)).toMatch(/^ended: WISE colours are back to normal after 2,\d00 objects/)
  })

  it('learns nothing of what an alarm is about', async () => {
    const { feed, watch } = openReplay()
    await feed(2_500)
    await feed(15_000, noWise)
    watch.finish()
    const place = watch.shape.features.indexOf('W1-W2')
    const learned = watch.takeLearned()
    const sum = (of: (counts: (typeof learned)[number]['counts']) => number) =>
      learned.reduce((all, { counts }) => all + of(counts), 0)
    expect(sum(({ seen }) => seen[0]!)).toBe(17_500 / 2)
    expect(sum(({ seen }) => seen[place]!)).toBeLessThan(2_600 / 2)
    expect(sum(({ classes }) => classes[1]!.reduce((a, b) => a + b))).toBeLessThan(2_600)
  })

  it('learns nothing of it either when it is over before anything is learned', async () => {
    const { feed, watch } = openReplay()
    await feed(2_250)
    await feed(750, noWise)
    await feed(4_000)
    watch.finish()
    const place = watch.shape.features.indexOf('W1-W2')
    const rates = watch.takeLearned().map(({ counts }) => counts.missing[place]! / counts.seen[place]!)
    // none is of a portion in which it was missing
    expect(rates.some((rate) => rate > 0.35)).toBe(false)
    expect(rates.filter((rate) => rate === rate).length).toBeGreaterThan(1)
  })

  it('takes for usual what somebody accepts, and tells when it is gone again', async () => {
    const { feed, watch, said } = openReplay()
    await feed(2_500)
    await feed(1_000, noWise)
    const [open] = watch.view().alarms
    watch.accept(new Set([open!.id]), new Set(wise))
    expect(said.at(-1)).toMatch(/^accepted: accepted as usual: WISE colours/)
    await feed(12_000, noWise)
    expect(said.filter((line) => line.startsWith('begun'))).toHaveLength(1)
    await feed(1_000)
    expect(said.at(-1)).toMatch(/^begun: WISE colours \(.*\) are there in \d\d % since .*; usual (< 1|0) %/)
  })

  it('tells features that no object has before it knows what is usual', async () => {
    const { feed, said } = openReplay()
    await feed(1_900, noWise)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/^begun: WISE colours .* are missing in 100 % since object 1 .*; usual not known yet/)
  })

  it('says at the end of a short run that it could not know', async () => {
    const { feed, watch } = openReplay()
    await feed(300)
    watch.finish()
    expect(watch.tooFew).toEqual({ rows: 300, needed: 2_000 })
  })
})
