// The three forms of a result (design: cli.md, "Layouts"): which columns there are, and their values for a batch.
import { ModelError } from '../../../errors.ts'
import { nestedLayout, wideLayout } from './by-object.ts'
import { longLayout } from './long.ts'
import type { LayoutContext, OutputLayout } from './output-table.ts'

/**
 * @throws ModelError if two columns would have one name, e.g. for a taxonomy with a class called `probability`
 */
export function createLayout(layout: 'wide' | 'long' | 'nested', context: LayoutContext): OutputLayout {
  const made = formOf(layout, context)
  const seen = new Set<string>()
  for (const { path } of made.fields) {
    const key = JSON.stringify(path)
    if (seen.has(key))
      throw new ModelError(`the ${layout} layout would have two columns named ${path.join('.')}`, {
        hint: 'a class of this model has the name of another column: write it with --layout long',
      })
    seen.add(key)
  }
  return made
}

function formOf(layout: 'wide' | 'long' | 'nested', context: LayoutContext): OutputLayout {
  switch (layout) {
    case 'wide':
      return wideLayout(context)
    case 'long':
      return longLayout(context)
    case 'nested':
      return nestedLayout(context)
  }
}
