// lcclf deadletter show: the messages that a stream did not classify, with their reasons.
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../../terminal/base-command.ts'
import { showDeadLetters } from '../../jobs/stream/dead-letters.ts'

export default class DeadletterShow extends BaseCommand {
  static override summary = 'Show messages that a stream did not classify'

  static override description = `Reads dead letters from a topic or a file: one line each on a terminal, whole letters as NDJSON elsewhere
({reason, topic, partition, offset, key, timestamp, value}, the value in base64). Nothing is removed.`

  static override examples = [
    '<%= config.bin %> deadletter show kafka://broker:9092/dead',
    {
      description: 'The original bytes of the first',
      command: '<%= config.bin %> deadletter show dead.ndjson --limit 1 | jq -r .value | base64 -d',
    },
  ]

  static override args = {
    address: Args.string({ name: 'ADDRESS', required: true, description: 'kafka://host:9092/topic or FILE.ndjson' }),
  }

  static override flags = {
    reason: Flags.string({ helpValue: 'TEXT', description: 'only letters whose reason contains this' }),
    limit: Flags.integer({ min: 0, helpValue: 'N', description: 'at most N letters' }),
    json: Flags.boolean({ description: 'print the counts as one JSON object on stdout, in place of the letters' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DeadletterShow)
    const { reason, limit, json } = flags
    process.exitCode = await showDeadLetters(args.address, { reason, limit, json })
  }
}
