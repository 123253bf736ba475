// What `lcclf help` knows that is no command. The pages are loaded when one is asked for: every --help comes by here.

export const topics = [
  { name: 'formats', summary: 'File formats, their suffixes, and layouts of results' },
  { name: 'addresses', summary: 'Where data comes from and goes to' },
  { name: 'exit-codes', summary: 'What a run ends with, for scripts' },
] as const

/** One of `topics`. */
export type HelpTopic = (typeof topics)[number]
