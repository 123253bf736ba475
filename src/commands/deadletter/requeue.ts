// lcclf deadletter requeue: messages that were not classified go back to where they came from.
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.ts'
import { requeueDeadLetters } from '../../jobs/stream/dead-letters.ts'

export default class DeadletterRequeue extends BaseCommand {
  static override summary = 'Send messages that a stream did not classify back to their topics'

  static override description = `Sends every dead letter back as the message it was, same key and same bytes, to the topic it came from: after a new model
or a repaired producer. What was sent from a topic is remembered by the group lcclf-deadletter-requeue, and is not sent
again without --again; letters chosen by --reason or --limit are not remembered.`

  static override examples = [
    '<%= config.bin %> deadletter requeue kafka://broker:9092/dead',
    '<%= config.bin %> deadletter requeue dead.ndjson --to kafka://broker:9092',
  ]

  static override args = {
    address: Args.string({ name: 'ADDRESS', required: true, description: 'kafka://host:9092/topic or FILE.ndjson' }),
  }

  static override flags = {
    to: Flags.string({
      helpValue: 'ADDRESS',
      description: "another cluster, kafka://host:9092, or with /topic another topic (default: the letters' own)",
    }),
    reason: Flags.string({ helpValue: 'TEXT', description: 'only letters whose reason contains this' }),
    limit: Flags.integer({ min: 0, helpValue: 'N', description: 'at most N letters' }),
    again: Flags.boolean({ description: 'also letters that were sent before' }),
    'dry-run': Flags.boolean({ description: 'count them, and send nothing' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DeadletterRequeue)
    const { to, reason, limit, again } = flags
    process.exitCode = await requeueDeadLetters(args.address, { to, reason, limit, again, dryRun: flags['dry-run'] })
  }
}
