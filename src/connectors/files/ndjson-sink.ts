// NDJSON: one object a line, integers bare whatever their size.
import { type FieldNode, fieldTree } from './layouts/output-table.ts'
import { cellTexts } from './csv-sink.ts'
import type { EncoderOptions, TableEncoder } from './table-sink.ts'

const style = { quote: (text: string) => JSON.stringify(text), nullText: 'null' }

/** @see TableEncoder */
export function createNdjsonEncoder({ fields, write }: EncoderOptions): TableEncoder {
  const { before, after } = template(fieldTree(fields))
  return {
    async add(table) {
      const cells = table.columns.map((column) => cellTexts(column, style))
      let text = ''
      for (let row = 0; row < table.rowCount; row++) {
        for (let c = 0; c < cells.length; c++) text += before[c]! + cells[c]!(row)
        text += after
      }
      await write(Buffer.from(text))
    },
    end: () => Promise.resolve(),
  }
}

/** What stands before each value of a line, and after the last: the same in every line. */
function template(nodes: readonly FieldNode[]): { before: readonly string[]; after: string } {
  const before: string[] = []
  let pending = ''
  const walk = (children: readonly FieldNode[]): void => {
    pending += '{'
    children.forEach((node, i) => {
      pending += `${i > 0 ? ',' : ''}${JSON.stringify(node.name)}:`
      if ('children' in node) return walk(node.children)
      before[node.column] = pending
      pending = ''
    })
    pending += '}'
  }
  walk(nodes)
  return { before, after: `${pending}\n` }
}
