// lcclf explain: why an object is what the model says.
import * as Args from '@oclif/core/args'
import { explain } from '../jobs/explain/explain.ts'
import { BaseCommand } from '../terminal/base-command.ts'
import { camelCased } from '../terminal/flags.ts'
import { explainFlags } from '../terminal/result-flags.ts'

export default class Explain extends BaseCommand {
  static override summary = 'Show which features make an object what the model says it is'
  static override description = [
    "Distributes a probability over the features: the model's answer for an unknown object, plus each feature's contribution, is the probability. Contributions are exact Shapley values (path-dependent TreeSHAP) for every class of every level. They add up to within 1e-9, which is checked each time.",
    "A leaf class has the product of two probabilities: f, of its branch, and g, of the class within the branch. A feature's contribution to the product is ½ (g + g₀) times its contribution to f, plus ½ (f + f₀) times its contribution to g, where f₀ and g₀ are the bases; the product's base is f₀ g₀. That is a choice: it adds up exactly and treats both levels alike.",
    "A booster is explained in margins: the margin for an unknown object, plus each feature's contribution, is the margin of a class. A calibrated classifier is explained before its calibration. A missing value goes where each node sends it, and a pipeline's features are shown as they were read.",
    '--approximate credits only the splits on the path that the object takes: it is quicker and adds up too, but it is not a Shapley value.',
  ].join('\n\n')
  static override examples = [
    'lcclf explain night.parquet --oid ZTF18aaaaaaa',
    {
      description: 'Why is it not an RR Lyrae?',
      command: 'lcclf explain night.parquet --oid ZTF18aaaaaaa --class RRL --model ./bundle',
    },
  ]
  static override args = {
    input: Args.string({
      description: 'file, folder or glob with the features, postgres://…, kafka://… or -',
      required: true,
    }),
  }
  static override flags = explainFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Explain)
    await explain({ ...args, ...camelCased(flags) })
  }
}
