// lcclf deadletter requeue: messages that were not classified go back to where they came from.
import * as Flags from '@oclif/core/flags'
import { requeueDeadLetters } from '../../jobs/stream/dead-letters.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { camelCased, letterArgument, letterFlags } from '../../terminal/flags.ts'

export default class DeadletterRequeue extends BaseCommand {
  static override summary = 'Send messages that a stream did not classify back to their topics'
  static override description =
    'Sends every dead letter back to the topic it came from, as the message it was, with the same key and the same bytes: for use after a new model or a repaired producer. The group lcclf-deadletter-requeue remembers what was sent from a topic, and sends it again only with --again; letters selected with --reason or --limit are not remembered.'
  static override examples = [
    'lcclf deadletter requeue kafka://broker:9092/dead',
    'lcclf deadletter requeue dead.ndjson --to kafka://broker:9092',
  ]
  static override args = letterArgument
  static override flags = {
    to: Flags.string({
      helpValue: 'ADDRESS',
      description: "another cluster, kafka://host:9092, or with /topic another topic (default: the letters' own)",
    }),
    ...letterFlags,
    again: Flags.boolean({ description: 'also letters that were sent before' }),
    'dry-run': Flags.boolean({ description: 'count them, send nothing' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DeadletterRequeue)
    process.exitCode = await requeueDeadLetters(args.address, camelCased(flags))
  }
}
