// lcclf deadletter show: the messages that a stream did not classify, with their reasons.
import * as Flags from '@oclif/core/flags'
import { showDeadLetters } from '../../jobs/stream/dead-letters.ts'
import { BaseCommand } from '../../terminal/base-command.ts'
import { letterArgument, letterFlags } from '../../terminal/flags.ts'

export default class DeadletterShow extends BaseCommand {
  static override summary = 'Show messages that a stream did not classify'
  static override description =
    'Reads dead letters from a topic or a file. Prints one line each on a terminal, and whole letters as NDJSON elsewhere ({reason, topic, partition, offset, key, timestamp, value}, the value in base64). Removes nothing.'
  static override examples = [
    'lcclf deadletter show kafka://broker:9092/dead',
    {
      description: 'The original bytes of the first',
      command: 'lcclf deadletter show dead.ndjson --limit 1 | jq -r .value | base64 -d',
    },
  ]
  static override args = letterArgument
  static override flags = {
    ...letterFlags,
    json: Flags.boolean({ description: 'print the counts as one JSON object on stdout, instead of the letters' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DeadletterShow)
    process.exitCode = await showDeadLetters(args.address, flags)
  }
}
