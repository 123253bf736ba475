// The one script of a page: headings of tables become buttons that sort. Without it the page reads as well.

/** Plain ECMAScript 2017, no library; its hash is in the page's Content-Security-Policy. */
export const sortScript = `
'use strict'
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0]
  const headings = Array.from(table.tHead.rows[0].cells)
  const status = document.createElement('p')
  status.className = 'unseen'
  status.setAttribute('role', 'status')
  table.parentNode.after(status)
  headings.forEach((heading, column) => {
    const button = document.createElement('button')
    button.type = 'button'
    button.append(...heading.childNodes)
    heading.append(button)
    const isText = heading.classList.contains('t')
    button.addEventListener('click', () => {
      const current = heading.getAttribute('aria-sort')
      const rises = current === null ? isText : current === 'descending'
      const keyed = Array.from(body.rows, (row) => {
        const text = row.cells[column].textContent.trim()
        return { row, key: isText || text === '' ? text : parseFloat(text) }
      })
      keyed.sort((a, b) => {
        if (a.key === '' || b.key === '') return (a.key === '') - (b.key === '')
        const order = isText ? (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) : a.key - b.key
        return rises ? order : -order
      })
      body.append(...keyed.map(({ row }) => row))
      for (const other of headings) other.removeAttribute('aria-sort')
      heading.setAttribute('aria-sort', rises ? 'ascending' : 'descending')
      status.textContent = 'Sorted by ' + button.textContent + ', ' + (rises ? 'ascending' : 'descending')
    })
  })
}
// what is folded away would not be printed
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details:not([open])')) {
    if (part.querySelectorAll('tr').length > 60) continue
    part.open = true
    part.dataset.printed = ''
  }
})
addEventListener('afterprint', () => {
  for (const part of document.querySelectorAll('details[data-printed]')) {
    part.open = false
    delete part.dataset.printed
  }
})
`
