// Writes docs/reference/ from what is true elsewhere: the oclif manifest, the metrics registry, the errors, the JSON Schemas.
// `npm run manifest` calls it; test/reference.test.ts holds what is committed to it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Registry } from 'prom-client'
import { exitCodes } from '../src/errors.ts'
import { createPrometheus } from '../src/jobs/stream/prometheus.ts'
import type { WatchView } from '../src/model/watch/alarm.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Argument {
  readonly name: string
  readonly description?: string
  readonly required?: boolean
  readonly multiple?: boolean
  readonly default?: unknown
}

interface Flag extends Argument {
  readonly char?: string
  readonly type: 'boolean' | 'option'
  readonly options?: readonly string[]
  readonly helpValue?: string
  readonly helpGroup?: string
  readonly env?: string
  readonly allowNo?: boolean
  readonly hidden?: boolean
}

interface Command {
  readonly id: string
  readonly summary?: string
  readonly description?: string
  readonly args: Record<string, Argument>
  readonly flags: Record<string, Flag>
  readonly examples?: readonly (string | { description?: string; command: string })[]
  readonly hidden?: boolean
}

/** text for a cell of a table, in Markdown that Vue reads too */
function cell(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll('{{', '&#123;{')
    .replaceAll(/\s*\n\s*/g, ' ')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function shownArgument({ name, required, multiple }: Argument): string {
  const word = `${name.toUpperCase()}${multiple === true ? '…' : ''}`
  return required === true ? word : `[${word}]`
}

/** `-o`, `--to ADDRESS` */
function shownFlag({ char, name, type, helpValue, options, allowNo }: Flag): string {
  const value = type === 'boolean' ? '' : ` ${helpValue ?? options?.join('|') ?? 'VALUE'}`
  const long = `\`--${allowNo === true ? '[no-]' : ''}${name}${value.replaceAll('|', '\\|')}\``
  return char === undefined ? long : `\`-${char}\`, ${long}`
}

/** what a flag is for, and what else the manifest knows of it */
function aboutFlag(flag: Flag): string {
  const { description = '', options, required, multiple, env } = flag
  const given = flag.default !== undefined && flag.default !== false && !description.includes('default')
  const more = [
    ...(required === true ? ['required'] : []),
    ...(options && flag.helpValue !== undefined ? [`one of ${options.map((name) => `\`${name}\``).join(', ')}`] : []),
    ...(given ? [`default \`${String(flag.default)}\``] : []),
    ...(env !== undefined ? [`environment \`${env}\``] : []),
    ...(multiple === true && !description.includes('repeatable') ? ['repeatable'] : []),
  ]
  return cell([description, ...more].filter((part) => part !== '').join('; '))
}

function commandPage(command: Command): string {
  const name = command.id.replaceAll(':', ' ')
  const args = Object.values(command.args)
  const flags = Object.values(command.flags).filter(({ hidden }) => hidden !== true)
  const groups = [...new Set(flags.map(({ helpGroup }) => helpGroup))]
  const parts = [
    `# lcclf ${name}`,
    cell(`${command.summary ?? ''}.`),
    [
      '```',
      ['lcclf', name, ...args.map(shownArgument), ...(flags.length > 0 ? ['[FLAG…]'] : [])].join(' '),
      '```',
    ].join('\n'),
    ...(args.length > 0
      ? [
          table(
            ['argument', 'what it is'],
            args.map((argument) => [`\`${argument.name.toUpperCase()}\``, cell(argument.description ?? '')]),
          ),
        ]
      : []),
    ...(command.description ?? '')
      .split(/\n\s*\n/)
      .filter((paragraph) => paragraph !== '')
      .map(cell),
    ...groups.flatMap((group) => [
      `## ${group === undefined ? 'Flags' : group.charAt(0) + group.slice(1).toLowerCase()}`,
      table(
        ['flag', 'what it does'],
        flags.filter(({ helpGroup }) => helpGroup === group).map((flag) => [shownFlag(flag), aboutFlag(flag)]),
      ),
    ]),
    ...(command.examples && command.examples.length > 0 ? ['## Examples', ...command.examples.map(shownExample)] : []),
  ]
  return `${parts.join('\n\n')}\n`
}

function shownExample(example: NonNullable<Command['examples']>[number]): string {
  const { description, command } = typeof example === 'string' ? { command: example } : example
  const code = ['```console', `$ ${command.replaceAll('<%= config.bin %>', 'lcclf')}`, '```'].join('\n')
  return description === undefined ? code : `${cell(description)}:\n\n${code}`
}

function readCommands(): Command[] {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, Command>
  }
  return Object.values(manifest.commands)
    .filter(({ hidden }) => hidden !== true)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

const fileOf = ({ id }: Command): string => `${id.replaceAll(':', '-')}.md`

function exitCodesPage(): string {
  const rows = Object.entries(exitCodes).map(([code, { exitCode, meaning }]) => {
    const isError = exitCode >= 2 && exitCode <= 6
    return [String(exitCode), isError ? `\`${code}\`` : '', cell(`${meaning[0]!.toUpperCase()}${meaning.slice(1)}.`)]
  })
  return `# Exit codes

${table(
  ['exit code', '`code` with `--json`', 'what it means'],
  [
    ...rows,
    [
      '137',
      '',
      'Killed by the system, or a stream that ended itself at [a message that hurts](../streams.md#messages-that-hurt).',
    ],
  ],
)}

Every error says what happened, where, and what to do about it, on stderr. What a command prints on stdout is data.
`
}

interface Metric {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly string[]
  readonly constructor: { readonly name: string }
}

const nothingSeen: WatchView = {
  ...{
    alarms: [],
    begun: new Map(),
    learned: 0,
    familyNullRates: new Map(),
    missingFeatures: new Map(),
    classShares: [],
  },
  margins: { upTo: [], objects: [], sum: 0 },
}

/** The metrics that a stream registers, in this order. */
async function registeredMetrics(): Promise<Metric[]> {
  const metrics: Metric[] = []
  const register = Object.getOwnPropertyDescriptor(Registry.prototype, 'registerMetric')!
  Registry.prototype.registerMetric = function (metric: unknown) {
    metrics.push(metric as Metric)
    ;(register.value as (metric: unknown) => void).call(this, metric)
  }
  try {
    const prometheus = await createPrometheus()
    prometheus.showWatch(() => nothingSeen)
  } finally {
    Object.defineProperty(Registry.prototype, 'registerMetric', register)
  }
  return metrics
}

async function metricsPage(): Promise<string> {
  const metrics = await registeredMetrics()
  const isOwn = ({ name }: Metric): boolean => name.startsWith('lcclf_')
  const rows = metrics
    .filter(isOwn)
    .map((metric) => [
      `\`${metric.name}\``,
      metric.constructor.name.toLowerCase(),
      metric.labelNames.map((name) => `\`${name}\``).join(', '),
      cell(metric.help),
    ])
  // which of them there are depends on the system
  return `# Metrics

\`lcclf stream --metrics-port PORT\` serves them at \`/metrics\`, in Prometheus' text format.

${table(['metric', 'type', 'labels', 'what it is'], rows)}

The process's own (\`process_…\`, \`nodejs_…\`: processor, memory, event loop, garbage collection) are there too. Those of the night watch are
missing with \`--no-watch\`; \`lcclf_quality_warnings\` is the number of its open alarms, under an older name.

\`/healthz\` answers 200 as long as the process lives and works, \`/readyz\` once it reads its partitions.
`
}

interface Schema {
  readonly title?: string
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly $ref?: string
  readonly properties?: Record<string, Schema>
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
}

function shownType({ type, $ref, enum: values, const: value }: Schema): string {
  if (value !== undefined) return `\`${JSON.stringify(value)}\``
  if (values) return values.map((one) => `\`${JSON.stringify(one)}\``).join(', ')
  return $ref === undefined ? [type ?? []].flat().join(', ') : $ref.split('/').at(-1)!
}

/** Only the outermost fields: the schema itself says the rest. Undefined where there are no schemas. */
function schemasPage(): string | undefined {
  const folder = join(root, 'schemas')
  if (!existsSync(folder)) return undefined
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
  const parts = names.flatMap((name) => {
    const schema = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Schema
    const fields = Object.entries(schema.properties ?? {}).map(([field, inner]) => [
      `\`${field}\``,
      shownType(inner),
      schema.required?.includes(field) === true ? 'yes' : 'no',
      cell(inner.description ?? inner.title ?? ''),
    ])
    return [
      `## ${name.replace('.json', '')}`,
      `${cell(schema.title ?? '')}: [\`schemas/${name}\`](../../schemas/${name})`,
      ...(fields.length > 0 ? [table(['field', 'type', 'always', 'what it is'], fields)] : []),
    ]
  })
  return `${['# JSON', 'What lcclf writes for programs, by the JSON Schemas that come with the package. The outermost fields are here.', ...parts].join('\n\n')}\n`
}

/** The pages of docs/reference, by the names of their files. */
export async function referencePages(): Promise<Map<string, string>> {
  const commands = readCommands()
  const schemas = schemasPage()
  const index = `# Reference

Made from the program itself, so that it says what is true.

${table(
  ['command', 'what it does'],
  commands.map((command) => [
    `[\`lcclf ${command.id.replaceAll(':', ' ')}\`](${fileOf(command)})`,
    cell(command.summary ?? ''),
  ]),
)}

- [Exit codes](exit-codes.md)
- [Metrics](metrics.md)
- [Addresses](../addresses.md)
${schemas === undefined ? '' : '- [JSON](schemas.md)\n'}`
  return new Map([
    ['README.md', index],
    ...commands.map((command): [string, string] => [fileOf(command), commandPage(command)]),
    ['exit-codes.md', exitCodesPage()],
    ['metrics.md', await metricsPage()],
    ...(schemas === undefined ? [] : [['schemas.md', schemas] as [string, string]]),
  ])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(root, 'docs/reference')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of await referencePages()) writeFileSync(join(folder, name), text)
}
