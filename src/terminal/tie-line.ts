// What is said of equal probabilities whose order is not known.
import { shownNumber } from './text-table.ts'

/**
 * @param ties objects whose largest probability several classes have
 * @param where what stands after “two classes”
 * @param assumed what decided
 */
export function tieLine(ties: number, where: string, assumed: string): string {
  const [ranks, were] = ties === 1 ? ['first rank', 'was'] : ['first ranks', 'were']
  return `${shownNumber(ties)} ${ranks} shared by two classes${where} ${were} decided by ${assumed}, which may not be the model’s: long results have no order of classes; --model names the model`
}
