// What the first oids look like, and whether later ones look alike: bytes of another schema may decode, but hardly to such ids.

/** so many say what oids look like */
const learned = 1000
/** an oid is no longer; what is need not be looked at */
const longest = 100
/** more different shapes than this, and oids are told apart by the order of their letters and digits alone, or by nothing */
const mostShapes = 8

/** Watches the oids of one run. */
export function createOidShapes() {
  let seen = 0
  let example = ''
  let exact = new Set<string>()
  let loose = new Set<string>()
  let expected: RegExp | undefined

  function learn(oid: string): void {
    if (seen === 0) example = oid
    if (exact.size <= mostShapes) exact.add(shapeOf(oid, true))
    if (loose.size <= mostShapes) loose.add(shapeOf(oid, false))
    if (++seen < learned) return
    const shapes = [exact, loose].find(({ size }) => size <= mostShapes)
    if (shapes) expected = new RegExp(`^(?:${[...shapes].join('|')})$`, 'su')
    exact = new Set()
    loose = new Set()
  }

  return {
    /** how many say what oids look like */
    learned,
    /** an oid that others are expected to look like */
    get example(): string {
      return example
    },
    /** False for the first oid that is unlike the first thousand; it is told once. */
    isExpected(oid: string): boolean {
      if (seen < learned) {
        learn(oid)
        return true
      }
      if (expected?.test(oid) !== false) return true
      expected = undefined
      return false
    },
  }
}

const classes = ['[A-Z]', '[a-z]', '[0-9]'] as const
const runs = /[A-Z]+|[a-z]+|[0-9]+|[^A-Za-z0-9]/gsu

/** As a pattern that all oids of this shape match: with as many letters and digits, or with any number of them. */
function shapeOf(oid: string, isExact: boolean): string {
  if (oid.length > longest) return `.{${longest + 1},}`
  return oid.replace(runs, (run) => {
    const kind = classes.find((one) => new RegExp(one).test(run))
    if (kind === undefined) return /[\^$\\.*+?()[\]{}|/]/.test(run) ? `\\${run}` : run
    return isExact ? `${kind}{${run.length}}` : `${kind}+`
  })
}
