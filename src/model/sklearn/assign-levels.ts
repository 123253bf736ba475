// Which forest belongs to which level, judged by the classes it knows and not by the name of its file.
import { basename } from 'node:path'
import { ModelError } from '../../errors.ts'
import type { BranchTaxonomy, LevelFile } from './model-files.ts'

/** A forest that was found in a level's file. */
export interface LevelContent {
  readonly file: LevelFile
  readonly classes: readonly string[]
}

/**
 * Puts the forests of a hierarchy in the order of its levels. Files that hold each other's forest (as the survey once
 * published the stochastic and the transient one) are named for what they hold.
 *
 * @param contents by level: the top first
 * @param acceptSwapped puts swapped forests where they belong and says so, instead of refusing
 * @returns for each level, the index in `contents` of its forest; and what is to be said about it
 */
export function assignLevels(
  contents: readonly LevelContent[],
  taxonomy: BranchTaxonomy,
  acceptSwapped: boolean,
): { order: number[]; warnings: string[] } {
  const expected = contents.map(({ file }) => (file.branch === null ? Object.keys(taxonomy) : taxonomy[file.branch]!))
  // which level each file really holds
  const held = contents.map(({ classes }) => expected.findIndex((wanted) => isSameSet(wanted, classes)))
  held.forEach((level, index) => {
    if (level === -1) throw foreignClasses(contents[index]!, expected[index]!)
  })
  const order = contents.map((_, level) => held.indexOf(level))
  const misplaced = contents.flatMap(({ file }, index) =>
    held[index] === index ? [] : [holds(file, contents[held[index]!]!, expected[held[index]!]!)],
  )
  if (misplaced.length === 0) return { order, warnings: [] }
  const story = misplaced.join('; ')
  if (order.includes(-1)) {
    const absent = contents.filter((_, level) => order[level] === -1).map(({ file }) => file.name)
    throw new ModelError(`${story}; no file holds the forest of ${absent.join(', ')}`, {
      hint: 'One forest is there twice and another not at all: download the files again.',
    })
  }
  if (acceptSwapped) return { order, warnings: [`${story}: put where they belong`] }
  throw new ModelError(story, { hint: 'The files are swapped. --accept-swapped puts the forests where they belong.' })
}

function holds(file: LevelFile, level: LevelContent, classes: readonly string[]): string {
  return `${basename(file.path)} holds the forest of ${level.file.branch ?? 'the top level'} (${classes.join(', ')})`
}

function foreignClasses({ file, classes }: LevelContent, wanted: readonly string[]): ModelError {
  const unknown = classes.filter((name) => !wanted.includes(name))
  const missing = wanted.filter((name) => !classes.includes(name))
  const parts = [
    ...(missing.length > 0 ? [`lacks ${missing.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`has ${unknown.join(', ')} instead`] : []),
  ]
  return new ModelError(
    `${basename(file.path)}: its classes (${classes.join(', ')}) are those of no level of the taxonomy; as ${file.branch ?? 'the top'} it ${parts.join(' and ')}`,
    { hint: 'A hierarchy with other branches or classes needs --taxonomy FILE.' },
  )
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name))
}
