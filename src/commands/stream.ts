// lcclf stream: the pipeline for ever.
import { BaseCommand } from '../terminal/base-command.ts'
import { stream } from '../jobs/stream/stream.ts'
import { streamInputFlags, streamOutputFlags, streamRunFlags } from '../terminal/stream-flags.ts'

export default class Stream extends BaseCommand {
  static override summary = 'Classify alerts as they come from Kafka, for ever'

  static override description = `Reads feature messages from Kafka as a member of a consumer group, classifies them in batches, writes every batch to its
outputs, waits until they have it, and only then commits the offsets: nothing is lost, and with --delivery exactly-once
nothing is there twice.

The environment of the original step is understood (CONSUMER_…, PRODUCER_…, DB_…, METRICS_…, STEP_…), so a deployment
moves over by changing its image. Flags win over the environment; any --to replaces all of its outputs.

SIGTERM finishes the batch in hand, commits, leaves the group and ends within ten seconds; a second one ends at once.`

  static override examples = [
    {
      description: 'From topic to topic',
      command:
        '<%= config.bin %> stream --from "kafka://broker:9092/features?group=lcclf" --to kafka://broker:9092/classes',
    },
    {
      description: 'Into a database too; what cannot be read is kept, and Prometheus may look',
      command:
        '<%= config.bin %> stream --from "kafka://broker/features?group=lcclf" --to kafka://broker/classes --to postgres://lcclf@db/pipeline --dead-letter kafka://broker/dead --metrics-port 9100',
    },
    {
      description: 'A night again, beside the live group',
      command:
        '<%= config.bin %> stream --from kafka://broker/features --to kafka://broker/again --on 2026-11-22 --no-commit --until-caught-up',
    },
  ]

  static override flags = { ...streamInputFlags, ...streamOutputFlags, ...streamRunFlags }

  async run(): Promise<void> {
    const { flags } = await this.parse(Stream)
    process.exitCode = await stream({
      from: flags.from,
      to: flags.to,
      model: flags.model,
      engine: flags.engine,
      threads: flags.threads,
      batchSize: flags['batch-size'],
      batchTimeout: flags['batch-timeout'],
      metricsPort: flags['metrics-port'],
      delivery: flags.delivery,
      deadLetter: flags['dead-letter'],
      onBadMessage: flags['on-bad-message'],
      untilCaughtUp: flags['until-caught-up'],
      since: flags.since,
      until: flags.until,
      on: flags.on,
      commit: flags.commit,
      missingObject: flags['missing-object'],
      outputSchema: flags['output-schema'],
      watchQuality: flags['watch-quality'],
      dryRun: flags['dry-run'],
    })
  }
}
