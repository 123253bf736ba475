// lcclf worker: the same classifier for programs that are not written in JavaScript.
import { worker } from '../jobs/worker/worker.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased, workerFlags } from '../terminal/flags.ts'

export default class Worker extends BaseCommand {
  static override summary = 'Answer programs: requests on stdin, answers on stdout'
  static override description = [
    'Opens a model once and classifies tables for as long as stdin is open. The Python package lcclf speaks to it; docs/python.md describes its frames for other programs.',
    'A request that cannot be answered costs only itself. SIGTERM lets the request in hand be answered.',
  ].join('\n\n')
  static override examples = [
    { description: 'What the Python package starts', command: 'lcclf worker --model ./bundle' },
  ]
  static override flags = workerFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(Worker)
    await worker(camelCased(flags), this.config.version)
  }
}
