import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  createOutputMessageEncoder,
  legalName,
  type MessageLevel,
  outputFeatures,
  type OutputMessage,
  outputSchemaText,
} from '../../../src/connectors/kafka/output-message.ts'
import { avscType, plainOutput, type PlainOutput, seedRun, takeApart } from '../../support/seed-run.ts'
import { wholeValue } from '../../support/kafka-client.ts'
import { messagesOfToday, outputOfToday, textOfToday } from '../../support/messages-of-today.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const recorded = seedRun('output')

function encoderOf(...args: Parameters<typeof createOutputMessageEncoder>): (message: OutputMessage) => Buffer {
  const encode = createOutputMessageEncoder(...args)
  return (message) => wholeValue(encode(message))
}

function levelOf(probabilities: Readonly<Record<string, number>>): MessageLevel {
  // somewhere in the middle of a larger array, as a batch has it
  return {
    classes: Object.keys(probabilities),
    values: Float64Array.of(0.5, ...Object.values(probabilities), 0.25),
    start: 1,
  }
}

function messageOf({ oid, candid, features, lc_classification }: PlainOutput): OutputMessage {
  const { probabilities, class: className, hierarchical } = lc_classification
  return {
    oid,
    candid,
    features: Float64Array.from(outputFeatures.map(({ name }) => features[name] ?? NaN)),
    probabilities: levelOf(probabilities),
    className,
    top: levelOf(hierarchical.top),
    children: Object.entries(hierarchical.children).map(([branch, level]) => ({ branch, level: levelOf(level) })),
  }
}

const first = messageOf(plainOutput(recorded[0]!))

describe('the schema of output messages', () => {
  it('is, letter by letter, the one in the recorded messages', () => {
    for (const message of recorded) {
      expect(takeApart(message).metadata).toEqual([
        ['avro.codec', 'null'],
        ['avro.schema', outputSchemaText('original')],
      ])
    }
    expect(outputSchemaText('original')).toHaveLength(10_321)
    expect(outputFeatures).toHaveLength(178)
    expect(outputFeatures.filter(({ isDouble }) => isDouble)).toHaveLength(51)
  })

  it('of 2025 is, letter by letter, the one in the survey’s file', () => {
    const [ours, theirs] = [outputSchemaText('alerce-2025'), textOfToday('lc_classification_step-output_ztf.avsc')]
    expect(JSON.stringify(JSON.parse(ours))).toBe(JSON.stringify(JSON.parse(theirs)))
    // as Python's json.dumps, which puts a blank behind each comma and colon
    expect(ours).toMatch(/^\{"doc": "Late Classification", "name": /)
    expect(ours.match(/[,:](?! )/)).toBeNull()
  })

  it('has a legal form, in which no two features share a name', () => {
    const names = outputFeatures.map(({ name }) => legalName(name))
    expect(new Set(names).size).toBe(178)
    expect(names.filter((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))).toEqual([])
    expect(names).toContain('Power_rate_1_2')
  })
})

describe('an output message', () => {
  it('has the bytes of the recorded one, all forty of them, but for the sync marker', () => {
    const encode = encoderOf('original')
    expect(recorded).toHaveLength(40)
    for (const message of recorded) {
      const ours = encode(messageOf(plainOutput(message)))
      expect(takeApart(ours)).toEqual(takeApart(message))
    }
  })

  it('writes null for NaN, for infinities and for what float32 cannot hold', () => {
    const features = new Float64Array(178).fill(1)
    features.set([NaN, Infinity, -Infinity, 1e39, 1e39, -1e300])
    const { features: read } = plainOutput(encoderOf('original')({ ...first, features }))
    const values = outputFeatures.map(({ name }) => read[name])
    // the fifth and the sixth are doubles
    expect(values.slice(0, 7)).toEqual([null, null, null, null, 1e39, -1e300, 1])
  })

  it('rounds to float32 as the original does, denormals and −0 included', () => {
    const features = new Float64Array(178).fill(0)
    features.set([0.1, -0, 1e-45, 3.4028235677973366e38])
    const { features: read } = plainOutput(encoderOf('original')({ ...first, features }))
    expect(read['Amplitude_1']).toBe(Math.fround(0.1))
    expect(Object.is(read['Amplitude_2'], -0)).toBe(true)
    expect(read['AndersonDarling_1']).toBe(Math.fround(1e-45))
    // rounds up to infinity in float32
    expect(read['AndersonDarling_2']).toBe(null)
  })

  it.each([0n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 63n, 64n, -64n, -65n])(
    'keeps candid %s',
    (candid) => {
      expect(plainOutput(encoderOf('original')({ ...first, candid })).candid).toBe(candid)
    },
  )

  it.each(['', 'ζ Ursae', 'x'.repeat(40_000), 'ZTF18abc'])('keeps any oid', (oid) => {
    expect(plainOutput(encoderOf('original')({ ...first, oid })).oid).toBe(oid)
  })

  it('takes a model of one level', () => {
    const flat = { ...first, top: undefined, children: [] }
    const { hierarchical } = plainOutput(encoderOf('original')(flat)).lc_classification
    expect(hierarchical.top).toEqual({})
    // an empty map is written with the first branch, as the original's library does
    expect(hierarchical.children).toEqual({})
  })

  it('of 2025 has no candid, and any names of features', () => {
    const names = ['W1-W2', 'naïve ☄', 'inf', 'huge', '-0']
    const encode = encoderOf('alerce-2025', { features: names, framing: 'schemaless' })
    const features = Float64Array.of(0.1, NaN, -Infinity, 1e39, -0)
    const text = outputSchemaText('alerce-2025')
    const read = outputOfToday(encode({ ...first, candid: null, features }), text)
    expect(Object.entries(read.features)).toEqual([
      ['W1-W2', Math.fround(0.1)],
      ['naïve ☄', null],
      ['inf', null],
      ['huge', null],
      ['-0', -0],
    ])
    const none = encoderOf('alerce-2025', { framing: 'schemaless' })
    expect(outputOfToday(none({ ...first, top: undefined, children: [] }), text)).toMatchObject({
      features: {},
      lc_classification: { hierarchical: { top: {}, children: {} } },
    })
  })

  it('without a container is what a container holds', () => {
    for (const schema of ['original', 'legal'] as const) {
      const bare = encoderOf(schema, { framing: 'schemaless' })(first)
      expect(bare).toEqual(takeApart(encoderOf(schema)(first)).record)
    }
  })

  it('is the same in a schema that Avro allows', () => {
    const encode = encoderOf('legal')
    const type = avscType(JSON.parse(outputSchemaText('legal')))
    for (const message of recorded) {
      const expected = plainOutput(message)
      const read = type.fromBuffer(takeApart(encode(messageOf(expected))).record) as PlainOutput
      const { features, ...rest } = JSON.parse(JSON.stringify(read, bigintAsText)) as PlainOutput
      const { features: theirs, ...others } = JSON.parse(JSON.stringify(expected, bigintAsText)) as PlainOutput
      expect(rest).toEqual(others)
      for (const [name, value] of Object.entries(theirs)) expect(features[legalName(name)] ?? null).toBe(value)
    }
  })
})

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

const python = process.env['LCCLF_TEST_PYTHON'] ?? 'python3'

function hasFastavro(): boolean {
  try {
    execFileSync(python, ['-c', 'import fastavro'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`*** SKIPPED: ${python} has no fastavro (set LCCLF_TEST_PYTHON) ***`)
    return false
  }
}

describe.skipIf(!hasFastavro())('fastavro', () => {
  it.each(['original', 'legal'] as const)('reads our messages in the %s schema as the recorded ones', (schema) => {
    const folder = temporaryFolder()
    const encode = encoderOf(schema)
    recorded.forEach((message, i) => {
      writeFileSync(join(folder, `${i}.theirs`), message)
      writeFileSync(join(folder, `${i}.ours`), encode(messageOf(plainOutput(message))))
    })
    const script = `
import fastavro, re, sys
for i in range(40):
    ours, theirs = ([*fastavro.reader(open(f'{sys.argv[1]}/{i}.{kind}', 'rb'))] for kind in ('ours', 'theirs'))
    if sys.argv[2] == 'legal':
        theirs[0]['features'] = {re.sub('[^A-Za-z0-9_]', '_', k): v for k, v in theirs[0]['features'].items()}
    assert ours == theirs and len(ours) == 1, (i, ours, theirs)
print('equal')
`
    expect(execFileSync(python, ['-c', script, folder, schema]).toString()).toBe('equal\n')
  })

  it('reads our messages of 2025 as the step’s own, in a container and bare', () => {
    const folder = temporaryFolder()
    const schemaFile = join(folder, 'output_ztf.avsc')
    writeFileSync(schemaFile, textOfToday('lc_classification_step-output_ztf.avsc'))
    messagesOfToday('output').forEach((datum, i) => {
      const read = outputOfToday(datum, outputSchemaText('alerce-2025'))
      const { hierarchical, ...classification } = read.lc_classification
      const { top, children } = hierarchical as PlainOutput['lc_classification']['hierarchical']
      const message = {
        ...messageOf({
          ...read,
          candid: 0n,
          lc_classification: { ...classification, hierarchical: { top, children } },
        }),
        features: Float64Array.from(Object.values(read.features), (value) => value ?? NaN),
      }
      const features = Object.keys(read.features)
      writeFileSync(join(folder, `${i}.theirs`), datum)
      writeFileSync(join(folder, `${i}.whole`), encoderOf('alerce-2025', { features })(message))
      const framing = 'schemaless'
      writeFileSync(join(folder, `${i}.bare`), encoderOf('alerce-2025', { features, framing })(message))
    })
    const script = `
import fastavro, json, sys
schema = fastavro.parse_schema(json.load(open(sys.argv[2])))
bare = lambda name: fastavro.schemaless_reader(open(f'{sys.argv[1]}/{name}', 'rb'), schema)
for i in range(30):
    reader = fastavro.reader(open(f'{sys.argv[1]}/{i}.whole', 'rb'))
    assert json.loads(reader.metadata['avro.schema']) == json.load(open(sys.argv[2]))
    assert [*reader] == [bare(f'{i}.bare')] == [bare(f'{i}.theirs')], i
print('equal')
`
    expect(execFileSync(python, ['-c', script, folder, schemaFile]).toString()).toBe('equal\n')
  })
})
