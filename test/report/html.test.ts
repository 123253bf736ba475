import fc from 'fast-check'
import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { markup, visibleText } from '../../src/report/html.ts'

describe('markup', () => {
  it('reads as the text that was put into it, whatever it is, in text and in attributes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { document } = parseHTML(`<body>${markup`<p title="${text}">${text}</p>`.markup}</body>`)
        const paragraph = document.querySelector('p')!
        expect(paragraph.textContent).toBe(visibleText(text))
        expect(paragraph.getAttribute('title')).toBe(visibleText(text))
        expect(document.querySelectorAll('body *')).toHaveLength(1)
      }),
    )
  })

  it('shows what would act unseen', () => {
    expect(visibleText('a\u202eb\u0000c\n\ud800')).toBe('a\\u202eb\\u0000c\\u000a\\ud800')
    expect(visibleText('RR Lyræ 🌟 天')).toBe('RR Lyræ 🌟 天')
  })
})
