import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ClassifiedBatch } from '../../../src/pipeline/batch.ts'
import { openSink } from '../../../src/connectors/open-connector.ts'
import type { Layout, OutputFormat } from '../../../src/connectors/address.ts'
import {
  contextOf,
  delicateBatch,
  flatTaxonomy,
  goldenBatch,
  probabilityTable,
  taxonomy,
} from '../../support/classified-samples.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let folder: string

beforeEach(async () => {
  folder = temporaryFolder()
})

async function textOf(
  format: OutputFormat,
  layout: Layout,
  context: ReturnType<typeof contextOf>,
  batches: ClassifiedBatch[],
) {
  const path = join(folder, `x.${format}`)
  const spec = { kind: 'file', address: path, path, format, isGzipped: false, layout, overwrite: true } as const
  const sink = await openSink(spec, context)
  for (const batch of batches) await sink.write(batch)
  await sink.finish()
  await sink.publish()
  await sink.close()
  return readFile(path, 'utf8')
}

/** The original's table as the batch it came from. */
function originalBatch(): ClassifiedBatch {
  const rows = probabilityTable
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
  const oids = [...new Set(rows.map(([oid]) => oid!))]
  const value = new Map(rows.map(([oid, level, , name, p]) => [`${oid} ${level} ${name}`, Number(p)]))
  const probabilities = taxonomy.levels.map(({ classifierName, classes }) =>
    Float64Array.from(oids.flatMap((oid) => classes.map((name) => value.get(`${oid} ${classifierName} ${name}`)!))),
  )
  return { ...goldenBatch(0, 0), rowCount: oids.length, oids, candids: oids.map(() => null), probabilities }
}

describe('CSV', () => {
  it('in the long layout is the Probability table of the original, byte for byte', async () => {
    const context = contextOf({ oidType: 'string', hasCandid: true })
    expect(await textOf('csv', 'long', context, [originalBatch()])).toBe(probabilityTable)
  })

  it('has its header without a row, and a LF at the end', async () => {
    const context = contextOf({ oidType: 'string', hasCandid: true }, flatTaxonomy)
    const header = 'oid,candid,class,probability,classifier_version,star,"galaxy ""far""","a,b"\n'
    expect(await textOf('csv', 'wide', context, [])).toBe(header)
    expect(await textOf('tsv', 'wide', context, [])).toBe(
      'oid\tcandid\tclass\tprobability\tclassifier_version\tstar\t"galaxy ""far"""\ta,b\n',
    )
  })

  it('quotes what must be quoted, leaves a missing candid empty and keeps every digit', async () => {
    const context = contextOf({ oidType: 'string', hasCandid: true }, flatTaxonomy)
    const batch = {
      ...delicateBatch(4, context.schema, flatTaxonomy),
      oids: ['a,b', 'say "hi"', 'two\nlines', 'cr\rin'],
      candids: [null, 1234567890123456789n, -1n, 0n],
      probabilities: [Float64Array.of(0.1 + 0.2, -0, 5e-324, 1e-7, 0, 1, 0.5, 0.25, 0.25, 0, 1, 0)],
    }
    const [, ...lines] = (await textOf('csv', 'wide', context, [batch])).split(/\n(?!lines)/)
    const version = 'hierarchical_random_forest_1.0.0'
    expect(lines).toEqual([
      `"a,b",,star,0.30000000000000004,${version},0.30000000000000004,-0.0,5e-324`,
      `"say ""hi""",1234567890123456789,"a,b",1,${version},1e-7,0,1`,
      `"two\nlines",-1,star,0.5,${version},0.5,0.25,0.25`,
      `"cr\rin",0,"galaxy ""far""",1,${version},0,1,0`,
      '',
    ])
  })
})

describe('NDJSON', () => {
  it('is the contract’s object, integers bare beyond 2^53', async () => {
    const context = contextOf({ oidType: 'uint64', hasCandid: true }, flatTaxonomy)
    const batch = {
      ...delicateBatch(2, context.schema, flatTaxonomy),
      oids: ['18446744073709551615', '7'],
      candids: [9007199254740993n, null],
      probabilities: [Float64Array.of(0.5, 0.25, 0.25, 0, 1, 0)],
    }
    expect(await textOf('ndjson', 'nested', context, [batch])).toBe(
      '{"oid":18446744073709551615,"candid":9007199254740993,"classifier_version":"hierarchical_random_forest_1.0.0",' +
        '"lc_classification":{"probabilities":{"star":0.5,"galaxy \\"far\\"":0.25,"a,b":0.25},"class":"star"}}\n' +
        '{"oid":7,"candid":null,"classifier_version":"hierarchical_random_forest_1.0.0",' +
        '"lc_classification":{"probabilities":{"star":0,"galaxy \\"far\\"":1,"a,b":0},"class":"galaxy \\"far\\""}}\n',
    )
  })

  it('is empty without a row', async () => {
    expect(await textOf('ndjson', 'nested', contextOf({ oidType: 'string', hasCandid: true }), [])).toBe('')
  })
})
