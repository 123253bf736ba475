// lcclf explain: why an object is what the model says.
import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { BaseCommand } from '../terminal/base-command.ts'
import { explain } from '../jobs/explain/explain.ts'
import { inputFlags, modelFlag, reportFlag } from '../terminal/flags.ts'

export default class Explain extends BaseCommand {
  static override summary = 'Say which features make an object what the model says it is'

  static override description = `Shares a probability out among the features: what the model says of an object of which nothing is known, plus each
feature's contribution, is the probability. Contributions are exact Shapley values (path-dependent TreeSHAP), for every
class of every level, and they add up to 1e-9, which is checked each time.

A leaf class has the product of two probabilities: f, of its branch, and g, of the class within the branch. A feature's
contribution to the product is ½ (g + g₀) times its contribution to f, plus ½ (f + f₀) times its contribution to g, where
f₀ and g₀ are the bases; the product's base is f₀ g₀. That is a choice: it adds up exactly and treats both levels alike.

--approximate credits only the splits on the object's own way: quicker, it adds up too, and it is no Shapley value.`

  static override examples = [
    '<%= config.bin %> explain night.parquet --oid ZTF18aaaaaaa',
    {
      description: 'Why is it not an RR Lyrae?',
      command: '<%= config.bin %> explain night.parquet --oid ZTF18aaaaaaa --class RRL --model ./bundle',
    },
  ]

  static override args = {
    input: Args.string({
      name: 'INPUT',
      description: 'file, folder or glob with the features, postgres://…, kafka://… or -',
      required: true,
    }),
  }

  static override flags = {
    oid: Flags.string({ required: true, helpValue: 'ID', description: 'the object' }),
    ...modelFlag,
    class: Flags.string({ helpValue: 'CLASS', description: 'the class to explain (default: the predicted one)' }),
    top: Flags.integer({ default: 10, min: 1, helpValue: 'N', description: 'features to list, the largest first' }),
    approximate: Flags.boolean({ description: 'path attribution in place of Shapley values' }),
    'from-format': inputFlags['from-format'],
    'id-column': inputFlags['id-column'],
    'candid-column': inputFlags['candid-column'],
    rename: inputFlags.rename,
    'rename-map': inputFlags['rename-map'],
    report: reportFlag.report,
    overwrite: Flags.boolean({ description: 'replace a report that exists' }),
    json: Flags.boolean({ description: 'print the explanation as one JSON object on stdout, in full precision' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Explain)
    await explain({
      input: args.input,
      oid: flags.oid,
      model: flags.model,
      className: flags.class,
      top: flags.top,
      isApproximate: flags.approximate,
      fromFormat: flags['from-format'],
      idColumn: flags['id-column'],
      candidColumn: flags['candid-column'],
      renames: new Map((flags.rename ?? []).map(({ from, to }) => [from, to])),
      renameMap: flags['rename-map'],
      report: flags.report,
      overwrite: flags.overwrite,
      json: flags.json,
    })
  }
}
