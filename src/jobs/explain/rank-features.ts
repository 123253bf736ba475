// Which features speak most for or against one class.
import { UsageError } from '../../errors.ts'
import type { ExplainedFeature, Explanation, LevelExplanation, RankedFeature } from './explanation.ts'

/** The part of an explanation that is about one class. */
export type ClassRanking = Pick<Explanation, 'class' | 'branch' | 'probability' | 'base' | 'ranking' | 'others'>

/**
 * @param levels the product first
 * @throws UsageError for a class that the model does not have
 */
export function rankFeatures(
  [product, top, ...branches]: readonly LevelExplanation[],
  features: readonly ExplainedFeature[],
  { className, top: count }: { className: string; top: number },
): ClassRanking {
  const explained = product!.classes.find((one) => one.class === className)
  if (!explained) {
    const names = product!.classes.map((one) => one.class).join(', ')
    throw new UsageError(`the model has no class ${className}`, { hint: `Its classes are ${names}.` })
  }
  const level = branches.find(({ classes }) => classes.some((one) => one.class === className))
  const ofTop = level && top?.classes.find((one) => one.class === level.branch)
  const ofBranch = level?.classes.find((one) => one.class === className)
  const order = features
    .map((_, i) => i)
    .sort((i, j) => Math.abs(explained.contributions[j]!) - Math.abs(explained.contributions[i]!) || i - j)
  const ranking = order.slice(0, count).map((i): RankedFeature => ({
    ...features[i]!,
    contribution: explained.contributions[i]!,
    top_contribution: ofTop?.contributions[i] ?? null,
    branch_contribution: ofBranch?.contributions[i] ?? null,
  }))
  const rest = order.slice(count)
  return {
    class: className,
    branch: level?.branch ?? null,
    probability: explained.probability,
    base: explained.base,
    ranking,
    others: {
      features: rest.length,
      contribution: rest.reduce((sum, i) => sum + explained.contributions[i]!, 0),
    },
  }
}
