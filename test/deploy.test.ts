// What runs lcclf in production: read by the tools that will read it, where they are here, and by our own settings in any case.
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { sampleModel } from '../src/model/store/model-reference.ts'
import { lcclf } from './support/lcclf.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const deploy = join(root, 'deploy')
const chart = join(deploy, 'helm/lcclf')
const production = readFileSync(join(root, 'test/fixtures/config/production.yaml'), 'utf8')

/** A program on the PATH, or undefined: its tests are skipped then, and that is said. */
function programNamed(name: string, ...version: string[]): string | undefined {
  const program = process.env[`LCCLF_${name.toUpperCase().replaceAll('-', '_')}`] ?? name
  if (spawnSync(program, version).status === 0) return program
  console.warn(`no ${name} here: what it would read is not tested`)
  return undefined
}

const helm = programNamed('helm', 'version')
const systemdAnalyze = programNamed('systemd-analyze', '--version')

interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data: Record<string, string>
  readonly spec: Record<string, unknown>
}

/** What the chart makes of some values, by kind. */
function rendered(values: string): Map<string, Manifest> {
  const file = join(temporaryFolder(), 'values.yaml')
  writeFileSync(file, values)
  const args = ['template', 'late', chart, '--kube-version', '1.30.0', '--values', file]
  const text = execFileSync(helm!, args, { encoding: 'utf8' })
  const documents = parseAllDocuments(text).map((document) => document.toJS() as Manifest)
  return new Map(documents.map((document) => [document.kind, document]))
}

const indented = production.replace(/^(?=.)/gm, '  ')
const everything = `
configYaml:
${indented}
autoscaling: { enabled: true, bootstrapServers: "kafka:9092" }
envFromSecrets: [kafka-account]
model: { ref: "lc@2.1.0", pull: never }
store: { existingClaim: models }
`

describe.skipIf(helm === undefined)('the chart', () => {
  it('is linted, with its own values and with all of them', () => {
    const file = join(temporaryFolder(), 'values.yaml')
    writeFileSync(file, everything)
    for (const more of [[], ['--values', file]]) execFileSync(helm!, ['lint', '--strict', chart, ...more])
  })

  it('gives a stream the settings of the survey, which mean what the file itself means', async () => {
    const { data } = rendered(everything).get('ConfigMap')!
    const schemas = { SCHEMAS: join(root, 'test/fixtures/kafka') }
    const env = {
      ...schemas,
      KAFKA_SERVER: 'k:9092',
      KAFKA_USERNAME: 'u',
      KAFKA_PASSWORD: 'p',
      MODEL_PATH: sampleModel,
    }
    const plans = [data['config.yaml']!, production].map(async (text) => {
      const cwd = temporaryFolder()
      writeFileSync(join(cwd, 'config.yaml'), text)
      return lcclf(['stream', '--dry-run', '--config', 'config.yaml'], { cwd, env })
    })
    const [ours, theirs] = await Promise.all(plans)
    expect(theirs!.stdout).toContain('lc_classifier_ztf')
    expect(ours!.stdout).toBe(theirs!.stdout)
  })

  it('runs without privileges, is probed, and is scaled by the lag of its own group', () => {
    const kinds = rendered(everything)
    const { replicas, template } = kinds.get('Deployment')!.spec as { replicas?: number; template: { spec: object } }
    expect(replicas).toBeUndefined()
    expect(template.spec).toMatchObject({
      securityContext: { runAsNonRoot: true },
      containers: [
        {
          args: ['stream', '--metrics-port', '9464'],
          securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
          livenessProbe: { httpGet: { path: '/healthz' } },
          readinessProbe: { httpGet: { path: '/readyz' } },
          envFrom: [{ secretRef: { name: 'kafka-account' } }],
        },
      ],
    })
    expect(kinds.get('ScaledObject')!.spec).toMatchObject({
      scaleTargetRef: { name: kinds.get('Deployment')!.metadata.name },
      triggers: [{ type: 'kafka', metadata: { consumerGroup: 'lc_classifier_ztf', lagThreshold: '1000' } }],
    })
    expect(rendered('replicas: 3').get('Deployment')!.spec).toMatchObject({ replicas: 3 })
    expect([...rendered('podDisruptionBudget: { enabled: false }').keys()]).toEqual(['Deployment'])
  })

  it('says what is missing where autoscaling has no broker to ask', () => {
    const file = join(temporaryFolder(), 'values.yaml')
    writeFileSync(file, 'autoscaling: { enabled: true }')
    const args = ['template', chart, '--kube-version', '1.30.0', '--values', file]
    expect(spawnSync(helm!, args).stderr.toString()).toContain('autoscaling.bootstrapServers')
  })
})

describe.skipIf(systemdAnalyze === undefined)('the units of systemd', () => {
  it('are verified', () => {
    const folder = temporaryFolder()
    cpSync(join(deploy, 'systemd'), folder, { recursive: true })
    const units = readdirSync(folder).map((name) => join(folder, name))
    for (const unit of units) {
      const text = readFileSync(unit, 'utf8')
      writeFileSync(unit, text.replaceAll('/usr/local/bin/lcclf', join(root, 'bin/run.js')))
    }
    const { status, stderr } = spawnSync(systemdAnalyze!, ['verify', ...units], { encoding: 'utf8' })
    // units of this machine that ours depend on may have warnings of their own
    expect(stderr.split('\n').filter((line) => line.includes('lcclf'))).toEqual([])
    expect(status).toBe(0)
  })
})

describe('docker-compose.yml', () => {
  const { services } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
    services: Record<string, { environment: Record<string, string> }>
  }

  it('names the model to begin with, which the image has and a stream takes', async () => {
    const [, folder] = /^\$\{LCCLF_MODEL:-\/lcclf\/(.*)\}$/.exec(
      services['late_classification']!.environment['LCCLF_MODEL']!,
    )!
    expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toContain(`COPY --from=build /lcclf/${folder} ${folder}`)
    const settings = services['late_classification']!.environment
    const filled = { DB_PASSWORD: 'secret', LCCLF_MODEL: join(root, folder!) }
    const { code, stdout } = await lcclf(['stream', '--dry-run'], { env: { ...settings, ...filled } })
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/late_classification[^]*samples\/model/) as string,
    })
  })
})
