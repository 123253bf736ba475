// What Prometheus is told of the quality of a stream's features: few labels, and only what is not as usual.
import type { Gauge, Registry } from 'prom-client'
import type { QualityWatch } from '../../model/profile/quality-watch.ts'

/** Adds gauges that read the watch whenever a scraper looks. */
export function addQualityGauges(
  quality: Pick<QualityWatch, 'warnings' | 'nullRates' | 'classShares'>,
  registers: Registry[],
  OwnGauge: typeof Gauge,
): void {
  new OwnGauge({
    name: 'lcclf_quality_warnings',
    help: 'Features and classes that are not as usual among the newest objects',
    registers,
    collect() {
      this.set(quality.warnings.length)
    },
  })
  new OwnGauge({
    name: 'lcclf_feature_null_rate',
    help: 'Share of the newest objects that lack a feature, of features for which it is not as usual',
    labelNames: ['feature'],
    registers,
    collect() {
      this.reset()
      for (const [feature, rate] of quality.nullRates) this.set({ feature }, rate)
    },
  })
  new OwnGauge({
    name: 'lcclf_class_share',
    help: 'Share of the newest objects by predicted class',
    labelNames: ['class'],
    registers,
    collect() {
      this.reset()
      for (const [name, share] of quality.classShares ?? []) this.set({ class: name }, share)
    },
  })
}
