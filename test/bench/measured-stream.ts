// A stream that drains its topic, watched from outside: its rate, where its time goes, and its memory.
import { readFileSync } from 'node:fs'
import { startStream } from '../support/stream-process.ts'

/** The stream at one moment, as it tells Prometheus; memory in bytes. */
export interface StreamSample {
  /** classified until then */
  readonly messages: number
  readonly rss: number
  /** processor time of the stream until then */
  readonly cpuSeconds: number
  /** the broker's; NaN where nobody asked */
  readonly brokerSeconds: number
  readonly heap: number
  /** buffers, beside the heap */
  readonly external: number
}

/** What a stream did. */
export interface StreamRun {
  /** messages a second, from its first batch to its last: without its start */
  readonly rate: number
  readonly samples: readonly StreamSample[]
  /** milliseconds a batch by stage, and processor time a thousand messages, in words */
  readonly stages: string
  /** microseconds of a core a message, of the stream with all its threads, and of the broker */
  readonly costs: { readonly stream: number; readonly broker: number }
}

const lookEveryMs = 250

/**
 * Runs `lcclf stream … --until-caught-up` to its end.
 *
 * @param options `bin`: of another build; `brokerPid`: whose time is looked at too
 * @throws Error if it ends in another way than by having done everything
 */
export async function measuredStream(
  args: readonly string[],
  { bin, brokerPid }: { readonly bin?: string | undefined; readonly brokerPid?: number | undefined } = {},
): Promise<StreamRun> {
  const stream = startStream([...args, '--until-caught-up', '--metrics-port', '0'], {}, bin)
  const samples: StreamSample[] = []
  let page = ''
  const look = async (): Promise<void> => {
    const port = stream.log.find(({ port: known }) => typeof known === 'number')?.['port']
    if (port === undefined) return
    page = await (await fetch(`http://127.0.0.1:${String(port)}/metrics`)).text()
    const sample = {
      messages: valueOf(page, 'lcclf_messages_total{outcome="classified"}'),
      rss: valueOf(page, 'process_resident_memory_bytes'),
      cpuSeconds: valueOf(page, 'process_cpu_seconds_total'),
      brokerSeconds: brokerPid === undefined ? NaN : processorSeconds(brokerPid),
      heap: valueOf(page, 'nodejs_heap_size_total_bytes'),
      external: valueOf(page, 'nodejs_external_memory_bytes'),
    }
    if (sample.messages > 0) samples.push(sample)
  }
  // it may end while it is asked
  const watch = setInterval(() => void look().catch(() => undefined), lookEveryMs)
  const code = await stream.ended
  clearInterval(watch)
  const lines = stream.log.filter(({ batches }) => batches !== undefined)
  const [first] = lines
  const last = lines.at(-1)
  if (code !== 0 || !first || !last || lines.length < 2) throw new Error(JSON.stringify(stream.log.slice(-3)))
  const seconds = (Date.parse(String(last['time'])) - Date.parse(String(first['time']))) / 1000
  const read = lines.slice(1).reduce((sum, line) => sum + Number(line['read']), 0)
  const costs = { stream: costOf(samples, 'cpuSeconds'), broker: costOf(samples, 'brokerSeconds') }
  return { rate: read / seconds, samples, costs, stages: `${stagesOf(page)}; ${processorTime(costs.stream)}` }
}

/** clock ticks a second, as Linux has them on every machine of today */
const ticks = 100

function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

function valueOf(page: string, name: string): number {
  const line = page.split('\n').find((text) => text.startsWith(`${name} `))
  return Number(line?.slice(name.length + 1) ?? NaN)
}

function stagesOf(page: string): string {
  const sums = [...page.matchAll(/^lcclf_batch_seconds_sum\{stage="([^"]+)",output="([^"]*)"\} (\S+)$/gm)]
  return sums
    .map(([, stage, output, sum]) => {
      const count = valueOf(page, `lcclf_batch_seconds_count{stage="${stage!}",output="${output!}"}`)
      const place = output === '' ? '' : ` ${output!.slice(0, output!.indexOf(':'))}`
      return `${stage!}${place} ${((Number(sum) / count) * 1000).toFixed(0)} ms`
    })
    .join(', ')
}

/** Microseconds of a core a message: what depends little on who else uses the machine. */
function costOf(samples: readonly StreamSample[], whose: 'cpuSeconds' | 'brokerSeconds'): number {
  const [first, last] = [samples[0], samples.at(-1)]
  if (!first || !last || first === last) return NaN
  return ((last[whose] - first[whose]) / (last.messages - first.messages)) * 1e6
}

const processorTime = (cost: number): string =>
  Number.isNaN(cost) ? '' : `${cost.toFixed(0)} ms of a core for 1000 messages`
