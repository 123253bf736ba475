import { describe, expect, it } from 'vitest'
import type { BatchReport } from '../../../src/pipeline/classify-input.ts'
import { createPrometheus } from '../../../src/jobs/stream/prometheus.ts'

function reportOf(reasons: readonly string[]): BatchReport {
  const rejected = reasons.map((reason) => ({ oid: null, where: 'here', reason, isBadMessage: true }))
  return {
    delivery: { batch: { messages: [] }, read: reasons.length, rejected },
    classified: { rowCount: 0 },
    outcomes: [],
  } as unknown as BatchReport
}

describe('what Prometheus is told', () => {
  it('counts messages that were not classified by their reason', async () => {
    const prometheus = await createPrometheus()
    prometheus.onWritten!(reportOf(['candid is missing', 'features are absent', 'candid is missing']))
    const page = await prometheus.page()
    expect(page).toContain('lcclf_messages_not_classified_total{reason="candid is missing"} 2\n')
    expect(page).toContain('lcclf_messages_not_classified_total{reason="features are absent"} 1\n')
    expect(page).toContain('lcclf_messages_total{outcome="bad"} 3\n')
  })

  it('keeps its page small, whatever the reasons are', async () => {
    const prometheus = await createPrometheus()
    prometheus.onWritten!(reportOf(Array.from({ length: 1000 }, (_, i) => `reason ${i}`)))
    const lines = (await prometheus.page()).split('\n').filter((line) => line.includes('not_classified_total{'))
    expect(lines).toHaveLength(201)
    expect(lines).toContain('lcclf_messages_not_classified_total{reason="other reasons"} 800')
  })
})
