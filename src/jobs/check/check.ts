// The story of `lcclf check`: would these inputs be classified, and do they look like what the model knows?
import { UsageError } from '../../errors.ts'
import { readManifest, readProfile } from '../../model/bundle/read-bundle.ts'
import { renameMapNamed } from '../../connectors/columns/settle-names.ts'
import { type CheckedInput, type CheckFinding, checkInput } from './check-input.ts'
import { expandInputs } from '../../connectors/inputs.ts'
import { modelLine, theSample } from '../../model/store/model-reference.ts'
import { chooseLocalModel } from '../models/local-model.ts'
import { timeWindow } from '../../connectors/kafka/spec.ts'
import type { CheckFlags } from '../../terminal/flags.ts'
import { harmless, terminalWidth } from '../../terminal/text-table.ts'
import { print } from '../../terminal/standard-streams.ts'

/** Checks inputs one after the other; answers 0 if classify would run, warnings or not, else 3. */
export async function check(addresses: readonly string[], flags: CheckFlags): Promise<number> {
  if (addresses.length === 0) throw new UsageError('no input', { hint: 'Name files, a folder, or - for stdin.' })
  const renameMapPairs = flags.renameMap === undefined ? undefined : renameMapNamed(flags.renameMap)
  const chosen = await chooseLocalModel(flags.model, theSample)
  const { directory } = chosen
  const { manifest, sha256 } = await readManifest(directory)
  process.stderr.write(`${harmless(modelLine(manifest, chosen))}\n`)
  const profile = await readProfile(directory)
  const onNote = (line: string): boolean => process.stderr.write(`${line}\n`)
  const inputs = await expandInputs(addresses, { fromFormat: flags.fromFormat, window: timeWindow(flags), onNote })
  const allowance = { remaining: flags.limit ?? Infinity }
  const request = { ...flags, renames: new Map(flags.rename), renameMapPairs, manifest, profile, allowance }
  const checked: CheckedInput[] = []
  for (const input of inputs) {
    const one = await checkInput(input, request)
    checked.push(one)
    const isOneOfMany = inputs.length > 1
    if (!flags.json) await print(checkText(one, { model: `${manifest.name} ${manifest.version}`, isOneOfMany }))
  }
  const model = { name: manifest.name, version: manifest.version, sha256 }
  if (flags.json) await print(`${JSON.stringify(reportOf(checked, model))}\n`)
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

// A checked input as text for a person at a terminal.

/** of a pipe, and the most that is easily read */
const widest = 100
/** findings of one kind that are listed */
const shownOfAKind = 15
const order = ['failed', 'warning', 'skipped', 'ok'] as const

/** What was found, the worst first, then what would mend it. */
export function checkText(
  { address, read, findings }: CheckedInput,
  { model, isOneOfMany }: { readonly model: string; readonly isOneOfMany: boolean },
): string {
  const width = Math.min(terminalWidth() ?? widest, widest)
  const rows = `${read.toLocaleString('en')} ${read === 1 ? 'row' : 'rows'}`
  // of hundreds of files, show those that have something
  if (isOneOfMany && findings.every(({ severity }) => severity === 'ok')) return `${harmless(address)}: ${rows}, ok\n`
  if (isOneOfMany && findings.every(({ severity }) => severity === 'ok' || severity === 'skipped')) {
    return `${harmless(address)}: ${rows}, ok; values were not compared, or not all\n`
  }
  const shown = order.flatMap((severity) => listed(findings.filter((one) => one.severity === severity)))
  const columns = shown.map(({ column, what }) => harmless(column ?? what))
  const name = Math.min(32, Math.max(0, ...columns.map((text) => text.length)))
  const lines = shown.flatMap(({ severity, message }, i) => {
    const head = `  ${severity.padEnd(7)}  ${columns[i]!.padEnd(name)}  `
    return wrapped(harmless(message), Math.max(30, width - head.length)).map((line, l) =>
      l === 0 ? head + line : ' '.repeat(head.length) + line,
    )
  })
  return [
    ...wrapped(`${harmless(address)}: ${rows}, checked against ${model}`, width),
    ...lines,
    ...hintLines(findings, width),
    `  ${verdict(findings)}\n`,
  ].join('\n')
}

function listed(findings: readonly CheckFinding[]): CheckFinding[] {
  const kinds = [...new Set(findings.map(({ what }) => what))]
  return kinds.flatMap((kind) => {
    const all = findings.filter(({ what }) => what === kind)
    const [first] = all
    if (!first || all.length <= shownOfAKind + 1) return all
    const message = `and ${all.length - shownOfAKind} more (--json has all)`
    return [...all.slice(0, shownOfAKind), { ...first, column: null, message, hint: null }]
  })
}

/** A flag as findings.ts writes it, and no sentence about one. */
const columnFlag = /^--(?:rename-map \S+|rename '.*'|(?:id|candid)-column (?:\S+|'.*'))$/s

/** Flags that would mend columns stand on one line, to be copied. */
function hintLines(findings: readonly CheckFinding[], width: number): string[] {
  const hints = [...new Set(findings.flatMap(({ hint }) => hint ?? []))]
  const flags = hints.filter((hint) => columnFlag.test(hint))
  const others = hints.filter((hint) => !columnFlag.test(hint))
  return [
    ...(flags.length > 0 ? [`  try: ${flags.map(harmless).join(' ')}`] : []),
    ...others.flatMap((hint) => wrapped(harmless(hint), width - 2).map((line) => `  ${line}`)),
  ]
}

function verdict(findings: readonly CheckFinding[]): string {
  const count = (severity: CheckFinding['severity']) => findings.filter((one) => one.severity === severity).length
  if (count('failed') > 0) return `classify would not run: ${count('failed')} failed, ${count('warning')} warnings`
  return count('warning') > 0 ? `classify would run, with ${count('warning')} warnings` : 'classify would run'
}

function wrapped(text: string, most: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= most) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
