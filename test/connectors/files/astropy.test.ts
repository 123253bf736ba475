// What lcclf writes as FITS and VOTable, read by astropy, where there is one (LCCLF_TEST_PYTHON).
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Layout } from '../../../src/connectors/address.ts'
import { openSink, outputSpec } from '../../../src/connectors/open-connector.ts'
import type { OidType } from '../../../src/pipeline/batch.ts'
import { contextOf, delicateBatch, goldenBatch } from '../../support/classified-samples.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { expectedRows } from './expected-rows.ts'

const python = process.env['LCCLF_TEST_PYTHON'] ?? 'python3'

function hasAstropy(): boolean {
  try {
    execFileSync(python, ['-c', 'import astropy'], { stdio: 'ignore' })
    return true
  } catch {
    console.warn(`*** SKIPPED: ${python} has no astropy (set LCCLF_TEST_PYTHON) ***`)
    return false
  }
}

/** Every cell as it is in the file: integers in digits, floats as their bytes; warnings are errors. */
const program = `
import json, struct, sys, warnings
import numpy as np
warnings.simplefilter('error')
from astropy.io import fits
from astropy.io.votable import parse
def cell(value, masked):
    if masked: return None
    if isinstance(value, bytes): return value.decode()
    if isinstance(value, (np.floating, float)): return struct.pack('>d', value).hex()
    return str(value)
path = sys.argv[1]
if '.fits' in path:
    with fits.open(path) as file:
        file.verify('exception')
        from astropy.table import Table
        table = Table.read(file[1])
else:
    votable = parse(path, verify='exception').get_first_table()
    table = votable.to_table(use_names_over_ids=True)
rows = [{name: cell(row[name], np.ma.is_masked(row[name])) for name in table.colnames} for row in table]
print(json.dumps(rows))
`

function plain(value: unknown): unknown {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'bigint') return value.toString()
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(value as number)
  return bytes.toString('hex')
}

describe.skipIf(!hasAstropy())('astropy', { timeout: 60_000 }, () => {
  const kinds = ['out.fits', 'out.vot'] as const
  const ids: readonly OidType[] = ['string', 'int32', 'int64', 'uint32', 'uint64']
  type Case = readonly [name: string, layout: Layout, oidType: OidType]
  const cases: readonly Case[] = [
    ...kinds.flatMap((name) => [
      ...ids.map((oidType): Case => [name, 'wide', oidType]),
      [name, 'long', 'string'] as Case,
    ]),
    ['out.fits.gz', 'wide', 'string'],
  ]

  it.each(cases)('reads %s, %s, with %s ids: no warning, every bit', async (name, layout, oidType) => {
    const folder = temporaryFolder()
    const path = join(folder, name)
    const context = contextOf({ oidType, hasCandid: true })
    const batches =
      oidType === 'string' ? [goldenBatch(0, 10), goldenBatch(10, 24)] : [delicateBatch(40, context.schema)]
    const sink = await openSink(outputSpec(path, { layout }), context)
    for (const batch of batches) await sink.write(batch)
    await sink.finish()
    await sink.publish()
    await sink.close()
    const script = join(folder, 'read.py')
    writeFileSync(script, program)
    const found = JSON.parse(execFileSync(python, [script, path], { encoding: 'utf8', maxBuffer: 2 ** 28 })) as unknown
    const expected = batches
      .flatMap((batch) => expectedRows(layout, batch, context.schema))
      .map((row) => {
        const cells = Object.entries(row).map(([column, value]) => {
          return [column, column === 'ranking' ? String(value) : plain(value)]
        })
        return Object.fromEntries(cells) as unknown
      })
    expect(found).toEqual(expected)
  })
})
