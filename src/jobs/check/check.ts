// The story of `lcclf check`: would these inputs be classified, and do they look like what the model knows?
import { UsageError } from '../../errors.ts'
import { readManifest, readProfile } from '../../model/bundle/read-bundle.ts'
import { renameMapNamed } from '../../connectors/columns/rename-maps.ts'
import type { InputFormat } from '../../pipeline/source.ts'
import { checkInput, type CheckedInput } from './check-input.ts'
import { checkText } from './check-text.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { findModel, pinnedReference, sampleModel } from '../../model/store/model-reference.ts'
import { timeWindow, type TimeWindowFlags } from '../../connectors/kafka/time-window.ts'

/** What was typed. */
export interface CheckFlags extends TimeWindowFlags {
  readonly inputs: readonly string[]
  readonly model: string | undefined
  readonly fromFormat: InputFormat | undefined
  readonly idColumn: string
  readonly candidColumn: string
  readonly renames: ReadonlyMap<string, string>
  readonly renameMap: string | undefined
  readonly where: string | undefined
  readonly limit: number | undefined
  readonly json: boolean
}

/** Checks inputs one after the other; answers 0 if classify would run, warnings or not, else 3. */
export async function check(flags: CheckFlags): Promise<number> {
  if (flags.inputs.length === 0) throw new UsageError('no input', { hint: 'Name files, a folder, or - for stdin.' })
  const renameMapPairs = flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap)
  const reference = flags.model ?? pinnedReference()
  if (reference === undefined) process.stderr.write('Held against the sample model; --model names your own.\n')
  const directory = reference === undefined ? sampleModel : findModel(reference)
  const { manifest, sha256 } = await readManifest(directory)
  const profile = await readProfile(directory)
  const inputs = await expandInputs(flags.inputs, {
    fromFormat: flags.fromFormat,
    outputFolders: [],
    environment: process.env,
    window: timeWindow(flags),
    commits: false,
  })
  const allowance = { remaining: flags.limit ?? Infinity }
  const checked: CheckedInput[] = []
  for (const input of inputs) {
    const one = await checkInput(input, { ...flags, renameMapPairs, manifest, profile, allowance })
    checked.push(one)
    const isOneOfMany = inputs.length > 1
    if (!flags.json)
      process.stdout.write(checkText(one, { model: `${manifest.name} ${manifest.version}`, isOneOfMany }))
  }
  const model = { name: manifest.name, version: manifest.version, sha256 }
  if (flags.json) process.stdout.write(`${JSON.stringify(reportOf(checked, model))}\n`)
  return checked.some(({ findings }) => findings.some(({ severity }) => severity === 'failed')) ? 3 : 0
}

function reportOf(checked: readonly CheckedInput[], model: Readonly<Record<string, string>>): object {
  return {
    schemaVersion: 1,
    command: 'check',
    model,
    inputs: checked.map(({ address, read, rejected, features }) => ({ address, read, rejected, features })),
    findings: checked.flatMap(({ address, findings }) => findings.map((one) => ({ input: address, ...one }))),
  }
}
