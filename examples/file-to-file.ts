// What `lcclf classify` does, from a program: node --import tsx examples/file-to-file.ts INPUT OUTPUT
import { LcclfError, runClassify } from 'lcclf'

const [input = 'samples/ztf-300.parquet', output = 'classified.parquet'] = process.argv.slice(2)
try {
  const receipt = await runClassify({ inputs: [input], to: [output], overwrite: true, onMessage: console.error })
  const { read, classified, rejected } = receipt.inputs[0]!
  console.log(`${read} read, ${classified} classified, ${rejected} rejected; balanced: ${receipt.balanced}`)
} catch (error) {
  if (!(error instanceof LcclfError)) throw error
  console.error(`${error.message}. ${error.hint ?? ''}`)
  process.exitCode = error.exitCode
}
