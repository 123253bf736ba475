// What flags are made of.
import * as Flags from '@oclif/core/flags'
import { UsageError } from '../errors.ts'

/** The groups of flags in a command's help, in this order. */
export const group = {
  input: { helpGroup: 'INPUT' },
  model: { helpGroup: 'MODEL' },
  output: { helpGroup: 'OUTPUT' },
  run: { helpGroup: 'RUN' },
} as const

/** A flag whose value is a whole number from `min` to `max`. */
export const wholeNumber = Flags.custom<number, { min: number; max?: number }>({
  parse: (text, _, { name, min, max = Infinity }) => {
    const value = Number(text)
    if (/^-?\d{1,15}$/.test(text) && value >= min && value <= max) return Promise.resolve(value)
    const range = max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`
    throw new UsageError(`--${name} ${text}: expected a whole number ${range}`)
  },
})

export const repeatable = { multiple: true, multipleNonGreedy: true } as const
