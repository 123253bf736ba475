import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openSink } from '../../../src/connectors/open-connector.ts'
import type { Layout, OutputFormat } from '../../../src/connectors/address.ts'
import { hasStructures } from '../../../src/connectors/result-form.ts'
import { testSink } from '../../contract/sink-contract.ts'
import { readRows } from './read-back.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const formats: readonly [OutputFormat, string][] = [
  ['parquet', 'out.parquet'],
  ['csv', 'out.csv'],
  ['csv', 'out.csv.gz'],
  ['tsv', 'out.tsv'],
  ['ndjson', 'out.ndjson'],
  ['ndjson', 'out.ndjson.gz'],
  ['arrow', 'out.arrow'],
  ['fits', 'out.fits'],
  ['fits', 'out.fits.gz'],
  ['votable', 'out.vot'],
]
const layouts: readonly Layout[] = ['wide', 'long', 'nested']

for (const [format, name] of formats)
  for (const layout of layouts) {
    // nested is refused before a sink is opened
    if (layout === 'nested' && !hasStructures[format]) continue
    testSink(`${name}, ${layout}`, async () => {
      const folder = temporaryFolder()
      const path = join(folder, name)
      return {
        layout,
        takes: (oid) => format !== 'fits' || /^[\x20-\x7e]*[\x21-\x7e]$/.test(oid),
        open: (context) =>
          openSink(
            { kind: 'file', address: path, path, format, isGzipped: name.endsWith('.gz'), layout, overwrite: false },
            context,
          ),
        isPublished: async () => (await readdir(folder)).includes(name),
        leftovers: async () => (await readdir(folder)).filter((left) => left !== name),
        readBack: (schema) => readRows(path, format, schema),
        remove: () => rm(folder, { recursive: true }),
      }
    })
  }
