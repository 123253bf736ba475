// Exact Shapley values of a forest's probabilities or of a booster's margins, path-dependent as TreeSHAP has them, and their quick approximation.
import type { FeatureMatrix } from '../../pipeline/preprocess.ts'
import { childOf, type CoveredForest } from '../../model/bundle/forest.ts'
import type { Part } from '../../model/bundle/parts.ts'

/**
 * Contributions of features to the probabilities of one forest, or to the margins of one booster: `base + Σ contributions =
 * prediction`, column by column.
 */
export interface Attribution {
  /** one a column: the mean over the training samples, by the trees' own counts */
  readonly base: Float64Array
  /** features × columns, row-major */
  readonly contributions: Float64Array
}

/** How the trees of a booster add up; null where leaves are averaged. */
type TreeSum = Pick<NonNullable<Part['sum']>, 'base' | 'targets'> | null

/**
 * Shapley values of the game in which an unknown feature sends a sample down both ways of its splits, in the proportion
 * of the training samples (Lundberg et al. 2020, `tree_path_dependent`).
 *
 * For one leaf the game is a product over the features of its path: feature i gives `hot` (1 if every split on it sends
 * the object this way, else 0) when known and `share` (the product of its training shares) when not. The Shapley value of
 * a product is an integral, φᵢ = leaf · (hotᵢ − shareᵢ) · ∫₀¹ Π_{j≠i} (t·hotⱼ + (1−t)·shareⱼ) dt, of a polynomial, which
 * Gauss–Legendre with half as many points as features integrates exactly. Within a leaf all terms are positive, so nothing cancels, as
 * it does when the original algorithm divides one feature after the other out of its weights; and a leaf costs
 * features × points / 2 instead of features².
 *
 * @param row one row as the trees compare it
 */
export function treeShap(forest: CoveredForest, row: FeatureMatrix, sum: TreeSum = null): Attribution {
  const { roots } = forest
  const { width, base, contributions, columnOf, finished } = beginAttribution(forest, row, sum)
  // trees of one depth share their points; a rule for more than they need would be exact too, and slower
  const walkers = new Map<number, TreeWalker>()
  for (let tree = 0; tree < roots.length; tree++) {
    const means = nodeMeans(forest, tree)
    const column = columnOf(tree)
    for (let c = 0; c < forest.classes.length; c++) base[column + c]! += means[c]!
    const depth = depthOf(forest, tree)
    if (depth === 0) continue
    const walker = walkers.get(depth) ?? new TreeWalker(forest, row, { depth, width })
    walkers.set(depth, walker)
    walker.walk(roots[tree]!, contributions, column)
  }
  return finished()
}

/** Where trees add to, and what is done when all have. */
function beginAttribution({ classes, roots }: CoveredForest, row: FeatureMatrix, sum: TreeSum) {
  const width = sum === null ? classes.length : sum.base.length
  const base = sum === null ? new Float64Array(width) : Float64Array.from(sum.base)
  const contributions = new Float64Array(row.length * width)
  const mean = (values: Float64Array) => (sum === null ? values.map((value) => value / roots.length) : values)
  return {
    width,
    base,
    contributions,
    /** the first column that a tree adds to */
    columnOf: (tree: number): number => sum?.targets[tree] ?? 0,
    finished: (): Attribution => ({ base: mean(base), contributions: mean(contributions) }),
  }
}

/**
 * The quick approximation (Saabas 2014): each split on the object's own way gets the change of the mean. It adds up to the
 * prediction as Shapley values do, but favours features near the leaves; it takes about a tenth of the time.
 *
 * @param row one row as the trees compare it
 */
export function pathAttribution(forest: CoveredForest, row: FeatureMatrix, sum: TreeSum = null): Attribution {
  const { classes, roots, feature } = forest
  const { width, base, contributions, columnOf, finished } = beginAttribution(forest, row, sum)
  const leafWidth = classes.length
  roots.forEach((root, tree) => {
    const means = nodeMeans(forest, tree)
    const column = columnOf(tree)
    for (let c = 0; c < leafWidth; c++) base[column + c]! += means[c]!
    for (let node = root; feature[node]! >= 0;) {
      const asked = feature[node]!
      const next = childOf(forest, node, row[asked]!)
      const cell = asked * width + column
      for (let c = 0; c < leafWidth; c++) {
        contributions[cell + c]! += means[(next - root) * leafWidth + c]! - means[(node - root) * leafWidth + c]!
      }
      node = next
    }
  })
  return finished()
}

/** Walks trees depth first with a stack of its own: a hostile tree may be as deep as it has nodes. */
class TreeWalker {
  readonly #forest: CoveredForest
  readonly #row: FeatureMatrix
  /** columns of the contributions */
  readonly #width: number
  readonly #rule: ReturnType<typeof gaussLegendre>
  readonly #points: number
  /** weights / rests: what a feature that is not hot needs */
  readonly #coldWeights: Float64Array
  /** by depth: the node, and how many of its children were visited */
  readonly #node: Uint32Array
  readonly #visited: Uint8Array
  /** by depth, of the step into the node: its feature, share, whether hot, and the step of the same feature above it */
  readonly #feature: Int32Array
  readonly #share: Float64Array
  readonly #hot: Uint8Array
  readonly #above: Int32Array
  /** by depth × points: Π (t·hot + (1−t)·share) over the path's features, and for a hot step 1 / its own factor */
  readonly #product: Float64Array
  readonly #inverse: Float64Array
  /** by feature: the last step with it on the path; 0 where there is none */
  readonly #last: Int32Array

  constructor(forest: CoveredForest, row: FeatureMatrix, { depth, width }: { depth: number; width: number }) {
    const points = Math.max(1, Math.ceil(Math.min(depth, row.length) / 2))
    this.#forest = forest
    this.#row = row
    this.#width = width
    this.#rule = gaussLegendre(points)
    this.#points = points
    this.#coldWeights = this.#rule.weights.map((weight, q) => weight / this.#rule.rests[q]!)
    this.#node = new Uint32Array(depth + 1)
    this.#visited = new Uint8Array(depth + 1)
    this.#feature = new Int32Array(depth + 1)
    this.#share = new Float64Array(depth + 1)
    this.#hot = new Uint8Array(depth + 1)
    this.#above = new Int32Array(depth + 1)
    this.#product = new Float64Array((depth + 1) * points)
    this.#inverse = new Float64Array((depth + 1) * points)
    this.#last = new Int32Array(row.length)
  }

  /** @param column the first that the tree adds to */
  walk(root: number, contributions: Float64Array, column: number): void {
    const { feature, left } = this.#forest
    this.#node[0] = root
    this.#visited[0] = 0
    this.#product.fill(1, 0, this.#points)
    let depth = 0
    while (depth >= 0) {
      const node = this.#node[depth]!
      const isLeaf = feature[node]! < 0
      if (isLeaf) this.#addLeaf(depth, node, contributions, column)
      if (isLeaf || this.#visited[depth] === 2) {
        if (depth > 0) this.#last[this.#feature[depth]!] = this.#above[depth]!
        depth--
        continue
      }
      const child = left[node]! + this.#visited[depth]!++
      this.#enter(depth + 1, node, child)
      depth++
    }
  }

  /** Steps from a node into one of its children, which comes to stand at `depth`. */
  #enter(depth: number, node: number, child: number): void {
    const { feature, cover } = this.#forest
    const asked = feature[node]!
    const way = childOf(this.#forest, node, this.#row[asked]!)
    const above = this.#last[asked]!
    const wasHot = above === 0 || this.#hot[above] === 1
    const shareBefore = above === 0 ? 1 : this.#share[above]!
    const share = shareBefore * (cover[child]! / cover[node]!)
    const isHot = wasHot && child === way
    this.#node[depth] = child
    this.#visited[depth] = 0
    this.#feature[depth] = asked
    this.#share[depth] = share
    this.#hot[depth] = isHot ? 1 : 0
    this.#above[depth] = above
    this.#last[asked] = depth
    // the products one step deeper: the feature's old factor out, its new one in
    const points = this.#points
    const to = depth * points
    const from = to - points
    const product = this.#product
    const inverse = this.#inverse
    const { points: t, rests } = this.#rule
    if (!wasHot) {
      const ratio = share / shareBefore
      for (let q = 0; q < points; q++) product[to + q] = product[from + q]! * ratio
      return
    }
    const old = above * points
    for (let q = 0; q < points; q++) {
      const before = above === 0 ? product[from + q]! : product[from + q]! * inverse[old + q]!
      const factor = rests[q]! * share + (isHot ? t[q]! : 0)
      product[to + q] = before * factor
      inverse[to + q] = 1 / factor
    }
  }

  #addLeaf(depth: number, node: number, contributions: Float64Array, column: number): void {
    const { classes, leaf, leaves } = this.#forest
    const width = classes.length
    const points = this.#points
    const product = this.#product
    const inverse = this.#inverse
    const { weights } = this.#rule
    const at = depth * points
    const start = leaf[node]! * width
    let cold = 0
    for (let q = 0; q < points; q++) cold -= this.#coldWeights[q]! * product[at + q]!
    for (let step = 1; step <= depth; step++) {
      const feature = this.#feature[step]!
      // a feature counts once, with all its splits on the path
      if (this.#last[feature] !== step) continue
      let weight = cold
      if (this.#hot[step] === 1) {
        weight = 0
        const own = step * points
        for (let q = 0; q < points; q++) weight += weights[q]! * product[at + q]! * inverse[own + q]!
        weight *= 1 - this.#share[step]!
      }
      const cell = feature * this.#width + column
      for (let c = 0; c < width; c++) contributions[cell + c]! += weight * leaves[start + c]!
    }
  }
}

/**
 * What a tree says about an unknown object, at each of its nodes: the mean probabilities below the node, weighted
 * by the training samples.
 *
 * @returns nodes of the tree × classes, row-major, the root first
 */
function nodeMeans({ classes, roots, feature, left, leaf, leaves, cover }: CoveredForest, tree: number): Float64Array {
  const width = classes.length
  const start = roots[tree]!
  const end = roots[tree + 1] ?? feature.length
  const means = new Float64Array((end - start) * width)
  // children come after their parent
  for (let node = end - 1; node >= start; node--) {
    const to = (node - start) * width
    if (feature[node]! < 0) {
      const from = leaf[node]! * width
      for (let c = 0; c < width; c++) means[to + c] = leaves[from + c]!
      continue
    }
    const child = left[node]!
    const from = (child - start) * width
    const [shareLeft, shareRight] = [cover[child]! / cover[node]!, cover[child + 1]! / cover[node]!]
    for (let c = 0; c < width; c++) {
      means[to + c] = shareLeft * means[from + c]! + shareRight * means[from + width + c]!
    }
  }
  return means
}

/** Splits on the longest way from a tree's root to a leaf. */
function depthOf({ roots, feature, left }: CoveredForest, tree: number): number {
  const start = roots[tree]!
  const end = roots[tree + 1] ?? feature.length
  const depths = new Uint32Array(end - start)
  let deepest = 0
  for (let node = start; node < end; node++) {
    const depth = depths[node - start]!
    if (depth > deepest) deepest = depth
    if (feature[node]! < 0) continue
    depths[left[node]! - start] = depth + 1
    depths[left[node]! + 1 - start] = depth + 1
  }
  return deepest
}

/**
 * Gauss–Legendre points and weights on the interval from 0 to 1: with n points exact for every polynomial up to degree 2n − 1. Points by Newton's method from the usual
 * first guess; good to the last digits for the few dozens that trees need. `rests`: 1 − point, without the rounding of
 * the subtraction.
 */
export function gaussLegendre(n: number) {
  const points = new Float64Array(n)
  const rests = new Float64Array(n)
  const weights = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let x = Math.cos((Math.PI * (i + 0.75)) / (n + 0.5))
    let slope = 1
    for (let step = 0; step < 100; step++) {
      const { value, derivative } = legendre(n, x)
      const next = x - value / derivative
      slope = derivative
      if (Math.abs(next - x) <= Number.EPSILON) break
      x = next
    }
    points[i] = (1 - x) / 2
    rests[i] = (1 + x) / 2
    // on −1…1 it is 2 / ((1 − x²) p′²); the interval is half as long
    weights[i] = 1 / ((1 - x) * (1 + x) * slope * slope)
  }
  return { points, rests, weights }
}

function legendre(n: number, x: number): { value: number; derivative: number } {
  let [before, value] = [1, x]
  for (let k = 2; k <= n; k++) [before, value] = [value, ((2 * k - 1) * x * value - (k - 1) * before) / k]
  return { value, derivative: (n * (x * value - before)) / (x * x - 1) }
}
