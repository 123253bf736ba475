// Where the margins of an XGBoost booster begin.
import { ModelError } from '../../errors.ts'
import { log } from '../bundle/exact-math.ts'
import type { Members } from './booster-members.ts'

const { fround } = Math

/**
 * `base_score` as margins, one a group: a number up to 3.0, from 3.1 on a list of one number or of one for each class. Of
 * two classes it is a probability, of which XGBoost takes −log(1/p − 1) in float32.
 *
 * @throws ModelError for what is none
 */
export function readBaseScore(
  parameters: Members,
  { label, groups, isProbability }: { label: string; groups: number; isProbability: boolean },
): number[] {
  const value = parameters.get('base_score')
  const text = typeof value === 'number' ? String(value) : parameters.text('base_score')
  const texts = text.replace(/^\[(.*)\]$/s, '$1').split(',', groups + 1)
  const scores = texts.map((number) => (/^\s*[-+\d.eE]{1,40}\s*$/.test(number) ? fround(Number(number)) : NaN))
  const isWhole = scores.every(Number.isFinite) && (scores.length === 1 || scores.length === groups)
  if (!isWhole) throw new ModelError(`${label}: base_score is ${JSON.stringify(text.slice(0, 60))}, which is no score`)
  if (!isProbability) return Array.from({ length: groups }, (_, i) => scores[i] ?? scores[0]!)
  const [score] = scores
  if (!(score! > 0 && score! < 1))
    throw new ModelError(`${label}: base_score is ${score}, where a probability is needed`)
  return [fround(-fround(log(fround(fround(1 / score!) - 1))))]
}
