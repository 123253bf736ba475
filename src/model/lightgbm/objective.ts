// What a LightGBM booster makes of its margins.
import { ModelError } from '../../errors.ts'
import type { Link } from '../bundle/sums.ts'
import type { TextSection } from './model-text.ts'

/**
 * The link of the objective's line (`multiclass num_class:15`, `binary sigmoid:1`), and how many margins there are.
 *
 * @throws ModelError for one that is not a classifier's
 */
export function readObjective(header: TextSection, label: string): { link: Link; groups: number } {
  const [name = '', ...options] = header.has('objective') ? header.words('objective') : []
  const groups = header.count('num_tree_per_iteration')
  const classCount = header.count('num_class')
  const kind = Object.hasOwn(kinds, name) ? kinds[name as keyof typeof kinds] : undefined
  if (!kind) {
    throw new ModelError(
      `${label}: its objective is ${JSON.stringify(name.slice(0, 60))}, which is not a classifier's`,
      {
        hint: 'Boosters of binary, multiclass and multiclassova can be imported.',
      },
    )
  }
  const isFitting = groups === classCount && groups >= 1 && groups <= 32_767 && (name === 'binary') === (groups === 1)
  if (!isFitting) throw new ModelError(`${label}: ${name} with ${classCount} classes does not fit together`)
  if (kind === 'softmax') return { link: { kind, library: 'lightgbm' }, groups }
  return { link: { kind, library: 'lightgbm', scale: sigmoidOf(options, label) }, groups }
}

const kinds = { binary: 'sigmoid', multiclass: 'softmax', multiclassova: 'sigmoid' } as const

function sigmoidOf(options: readonly string[], label: string): number {
  const text = options.find((option) => option.startsWith('sigmoid:'))?.slice('sigmoid:'.length) ?? '1'
  const value = /^[-+\d.eE]{1,40}$/.test(text) ? Number(text) : NaN
  if (value > 0 && value < Infinity) return value
  throw new ModelError(`${label}: its sigmoid is ${JSON.stringify(text.slice(0, 40))}, which is no factor`)
}
