// What Grafana and Prometheus ask of a stream: held to the page that a stream shows, and the rules to what promtool makes of them.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { KafkaStream } from '../../src/connectors/kafka/kafka-source.ts'
import { createPrometheus } from '../../src/jobs/stream/prometheus.ts'
import type { Alarm, WatchView } from '../../src/model/watch/alarm.ts'
import type { BatchReport } from '../../src/pipeline/classify-input.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const prometheusFolder = join(root, 'deploy/prometheus')
const provisioning = join(root, 'deploy/grafana/provisioning')
const readYaml = (...path: string[]): unknown => parse(readFileSync(join(...path), 'utf8'), { merge: true })

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for?: string
  readonly labels: Record<string, string>
  readonly annotations: Record<string, string>
}
const { groups } = readYaml(prometheusFolder, 'alerts.yml') as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}
interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}
const dashboardFile = join(root, 'deploy/grafana/dashboards/lcclf.json')
const dashboard = JSON.parse(readFileSync(dashboardFile, 'utf8')) as Dashboard

/** what Grafana puts in before it asks */
const filledIn = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '24h')
    .replaceAll('"$job"', '".+"')
    .replaceAll('"$level"', '"lc_classifier_top"')

const variables = dashboard.templating.list.flatMap(({ definition }) => {
  const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition ?? '') ?? []
  return metric === undefined ? [] : [`count by (${label!}) (${metric})`]
})
const queries = [
  ...rules.map(({ expr }) => expr),
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => filledIn(expr))),
  ...dashboard.annotations.list.map(({ expr }) => expr),
  ...variables,
]

const outcome = { objects: 3, rows: 15, refused: [{ oid: 'ZTF1', where: 'the table', reason: 'r' }], superseded: 1 }
const report = {
  delivery: {
    batch: { messages: [] },
    read: 1,
    rejected: [{ oid: null, where: 'here', reason: 'candid is missing', isBadMessage: true }],
  },
  classified: { rowCount: 5 },
  outcomes: [outcome],
} as unknown as BatchReport
const alarm = (kind: Alarm['kind'], families: readonly string[]) => ({ kind, families }) as Alarm
const view: WatchView = {
  alarms: [alarm('missing', ['WISE colours']), alarm('classes', ['lc_classifier_top'])],
  begun: new Map([['missing', 1]]),
  learned: 5000,
  familyNullRates: new Map([['WISE colours', 1]]),
  missingFeatures: new Map([['W1-W2', 1]]),
  classShares: [{ level: 'lc_classifier_top', class: 'Periodic', share: 0.4 }],
  margins: { upTo: [0.5, 1], objects: [2, 3], sum: 2.5 },
}

/** The page of a stream that has seen everything there is to see. */
async function wholePage(): Promise<string> {
  const prometheus = await createPrometheus()
  const partitions = [{ topic: 'features', partition: 0, committed: 41n, lag: 2n }]
  prometheus.watch({ status: () => ({ partitions }) } as unknown as KafkaStream, [
    { address: 'kafka://broker/classes' },
  ])
  prometheus.showModel({ name: 'lc', version: '1.0.0', classifierVersion: 'lc_1.0.0', sha256: 'abc' })
  prometheus.showWatch(() => view)
  prometheus.onReceived!()
  for (const stage of ['decode', 'classify', 'dead-letter', 'commit'] as const) prometheus.onStage!(stage, 0.1)
  prometheus.onStage!('write', 0.1, 'kafka://broker/classes')
  prometheus.onWritten!(report)
  prometheus.onCommitted!(report, 0)
  return prometheus.page()
}

type Series = ReadonlyMap<string, string>

/** Of every metric its series, with the labels that Prometheus itself adds. */
function seriesOf(page: string): Map<string, Series[]> {
  const found = new Map<string, Series[]>()
  const add = (name: string, labels: Iterable<readonly [string, string]>) =>
    found.set(name, [...(found.get(name) ?? []), new Map([...labels, ['job', 'lcclf'], ['instance', 'host:9464']])])
  for (const [, name, labels = ''] of page.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm)) {
    add(
      name!,
      [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, value]) => [label!, value!] as const),
    )
  }
  add('up', [])
  const alerting = { alertstate: 'firing', alertname: 'LcclfDown' }
  add('ALERTS', Object.entries(alerting))
  return found
}

const functions = new Set(
  'sum max min avg count topk or and unless on by without offset rate increase changes absent time vector min_over_time histogram_quantile Inf'.split(
    ' ',
  ),
)

/** Metrics of a query with what is asked of their labels, and the labels that it groups or joins by. */
function askedBy(query: string) {
  const matchers = (text: string) =>
    [...text.matchAll(/(\w+)(=~|!=|!~|=)"([^"]*)"/g)].map(([, label, operator, value]) => ({
      label: label!,
      matches: (one: string) =>
        (operator!.endsWith('~') ? new RegExp(`^(?:${value!})$`).test(one) : one === value) !==
        operator!.startsWith('!'),
    }))
  const grouped = /\b(?:by|on|without)\s*\(([^)]*)\)/g
  const labels = [...query.matchAll(grouped)].flatMap(([, names]) => names!.split(',').map((name) => name.trim()))
  const rest = query.replaceAll(grouped, ' ').replaceAll(/\[[^\]]*\]|offset \w+/g, ' ')
  const metrics = [...rest.matchAll(/\b([a-z_]\w*)(?:\{([^}]*)\})?/gi)]
    .filter(([, name]) => !functions.has(name!))
    .map(([, name, selector = '']) => ({ name: name!, matchers: matchers(selector) }))
  return { labels, metrics }
}

/** What a query asks for and a page does not have, in words. */
function missingFrom(series: ReadonlyMap<string, readonly Series[]>, query: string): string[] {
  const { metrics, labels } = askedBy(query)
  if (metrics.length === 0) return [`${query}: no metric`]
  const known = metrics.flatMap(({ name }) => series.get(name) ?? [])
  return [
    ...metrics.flatMap(({ name, matchers }) => {
      const fits = (one: Series) => matchers.every(({ label, matches }) => one.has(label) && matches(one.get(label)!))
      return series.get(name)?.some(fits) === true ? [] : [`${query}: no series of ${name}`]
    }),
    ...labels.flatMap((label) => (known.some((one) => one.has(label)) ? [] : [`${query}: no label ${label}`])),
  ]
}

describe('queries of the dashboard and the rules', async () => {
  const series = seriesOf(await wholePage())

  it('ask for metrics and labels that a stream shows', () => {
    expect(queries.length).toBeGreaterThan(40)
    expect(queries.flatMap((query) => missingFrom(series, query))).toEqual([])
  })

  it('leave no metric of ours unwatched', () => {
    const asked = new Set(queries.flatMap((query) => askedBy(query).metrics.map(({ name }) => name)))
    const unasked = [...series.keys()].filter((name) => name.startsWith('lcclf_') && !asked.has(name))
    // sums and counts of histograms stand for the rest of them; the older name of the number of alarms is for whoever has it already
    expect(unasked.sort()).toEqual(['lcclf_quality_warnings', 'lcclf_winner_margin_count', 'lcclf_winner_margin_sum'])
  })

  it.each([
    ['sum(lcclf_lags)', 'no series of lcclf_lags'],
    ['sum by (topics) (lcclf_lag_messages)', 'no label topics'],
    ['sum(lcclf_objects_total{outcome="denied"})', 'no series of lcclf_objects_total'],
    ['sum(lcclf_objects_total{outcomes!="denied"})', 'no series of lcclf_objects_total'],
  ])('would be found out: %s', (query, problem) => {
    expect(missingFrom(series, query)).toEqual([`${query}: ${problem}`])
  })
})

describe('the alert rules', () => {
  it('are ten, each with its time, its weight and plain words, and the docs tell what to do', () => {
    expect(rules).toHaveLength(10)
    const docs = readFileSync(join(root, 'docs/streams.md'), 'utf8')
    for (const { alert, labels, annotations, for: waits } of rules) {
      expect(labels['severity'], alert).toMatch(/^(critical|warning)$/)
      expect(waits, alert).toMatch(/^\d+m$/)
      expect(Object.keys(annotations), alert).toEqual(['summary', 'description'])
      expect(docs).toContain(`| \`${alert}\` |`)
    }
  })

  const promtool = process.env['LCCLF_PROMTOOL'] ?? 'promtool'
  const hasPromtool = spawnSync(promtool, ['--version']).status === 0
  if (!hasPromtool) console.warn('no promtool here: what it would read is not tested')

  it.skipIf(!hasPromtool)('are read by promtool, and fire when they should and not otherwise', () => {
    const run = (...args: string[]) => execFileSync(promtool, args, { cwd: prometheusFolder, encoding: 'utf8' })
    expect(run('check', 'config', 'prometheus.yml')).toContain('10 rules found')
    expect(run('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS')
  })

  it.skipIf(!hasPromtool)('have queries, and the dashboard too, that promtool parses', () => {
    const expressions = queries.map((expr, i) => ({ record: `query:${i}`, expr }))
    const file = join(temporaryFolder(), 'queries.yml')
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'all', rules: expressions }] }))
    expect(execFileSync(promtool, ['check', 'rules', file], { encoding: 'utf8' })).toContain(
      `SUCCESS: ${queries.length} rules found`,
    )
  })
})

describe('the dashboard', () => {
  it('says what each panel shows, and puts none upon another', () => {
    const shown = dashboard.panels.filter(({ type }) => type !== 'row')
    expect(dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)).toEqual([
      'Stream',
      'Night watch',
      'Outputs',
    ])
    for (const { title, description } of shown) expect(description, title).toMatch(/\.$/)
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(dashboard.panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
  })

  it('is where docker-compose and the provisioning look for it, as are Prometheus and the streams', () => {
    const { services } = readYaml(root, 'docker-compose.yml') as {
      services: Record<string, { image?: string; profiles?: string[]; volumes?: string[]; environment?: object }>
    }
    for (const name of ['prometheus', 'grafana']) {
      const { profiles, image, volumes } = services[name]!
      expect(profiles).toEqual(['monitoring'])
      expect(image).toMatch(/:v?\d+\.\d+\.\d+$/)
      const folders = volumes!.filter((volume) => volume.startsWith('./')).map((volume) => volume.split(':')[0]!)
      for (const folder of folders) expect(existsSync(join(root, folder)), folder).toBe(true)
    }
    const { providers } = readYaml(provisioning, 'dashboards/lcclf.yaml') as { providers: { options: object }[] }
    expect(providers[0]!.options).toEqual({ path: '/etc/grafana/dashboards' })
    expect(services['grafana']!.volumes).toContain('./deploy/grafana/dashboards:/etc/grafana/dashboards:ro')
    const { datasources } = readYaml(provisioning, 'datasources/prometheus.yaml') as { datasources: { url: string }[] }
    expect(datasources[0]!.url).toBe('http://prometheus:9090')
    const { scrape_configs: scraped } = readYaml(prometheusFolder, 'prometheus.yml') as {
      scrape_configs: { job_name: string; dns_sd_configs: { names: string[]; port: number }[] }[]
    }
    const [{ names, port }] = scraped[0]!.dns_sd_configs as [{ names: string[]; port: number }]
    expect(services[names[0]!]).toBeDefined()
    expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toContain(`CMD ["stream", "--metrics-port", "${port}"]`)
  })
})
