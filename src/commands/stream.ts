// lcclf stream: the pipeline for ever.
import { stream } from '../jobs/stream/stream.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased, streamFlags } from '../terminal/flags.ts'

export default class Stream extends BaseCommand {
  static override summary = 'Classify alerts from Kafka as they arrive, for ever'
  static override description = [
    'Reads feature messages from Kafka as a member of a consumer group and classifies them in batches. Offsets are committed only once every output has the batch: nothing is lost, and with --delivery exactly-once nothing is written twice.',
    "Understands the environment of the survey's steps (CONSUMER_…, PRODUCER_…, SCRIBE_…, DB_…, METRICS_…, MODEL_…) and their config.yaml (--config), so a deployment moves over by changing its image. Flags win; any --to replaces all of their outputs.",
    'SIGTERM finishes the current batch, commits, leaves the group and exits within ten seconds; a second one exits at once.',
  ].join('\n\n')
  static override examples = [
    {
      description: 'From topic to topic',
      command: 'lcclf stream --from "kafka://broker:9092/features?group=lcclf" --to kafka://broker:9092/classes',
    },
    {
      description: 'To a database too; keep what cannot be read, and serve metrics to Prometheus',
      command:
        'lcclf stream --from "kafka://broker/features?group=lcclf" --to kafka://broker/classes --to postgres://lcclf@db/pipeline --dead-letter kafka://broker/dead --metrics-port 9100',
    },
    {
      description: "What the settings of the survey's step come to",
      command: 'lcclf stream --config config.yaml --dry-run',
    },
    {
      description: 'Repeat a night beside the live group',
      command:
        'lcclf stream --from kafka://broker/features --to kafka://broker/again --on 2026-11-22 --no-commit --until-caught-up',
    },
  ]
  static override flags = streamFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(Stream)
    process.exitCode = await stream(camelCased(flags))
  }
}
