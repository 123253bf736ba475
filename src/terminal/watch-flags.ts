// Flags of the night watch.
import * as Flags from '@oclif/core/flags'
import { group, repeatable } from './flag-kinds.ts'

const { model } = group

const watch = {
  allowNo: true,
  ...model,
} as const

/** Of the commands about what the watch keeps. */
export const watchStateFlags = {
  'watch-state': Flags.string({
    helpValue: 'FILE',
    description: 'the file that the watch keeps (default: all beside the model store)',
  }),
  json: Flags.boolean({ description: 'print one JSON object on stdout' }),
}

const others = {
  'watch-state': Flags.string({
    helpValue: 'FILE',
    ...model,
    description: 'where the night watch keeps what is usual (default: beside the model store, a file for each model)',
  }),
  families: Flags.string({
    helpValue: 'FILE.json',
    ...model,
    description:
      'features that fail together, by name, for the night watch: {"my colours": ["W1-W2", "g-*"]}; they come before its own',
  }),
  alert: Flags.string({
    ...repeatable,
    helpValue: 'ADDRESS',
    ...model,
    description:
      'tell a topic (kafka://host/topic) or a webhook (https://…) when the night watch finds something, and when it is over (repeatable)',
  }),
}

/** Of `stream`: on, unless somebody does not want it. */
export const streamWatchFlags = {
  watch: Flags.boolean({
    ...watch,
    default: true,
    description: 'the night watch: learn what is usual, and say what is not, since when; --no-watch turns it off',
  }),
  ...others,
}

/** Of `classify`: on with `--resume`. */
export const classifyWatchFlags = {
  watch: Flags.boolean({
    ...watch,
    description:
      'the night watch: learn what is usual, and say what is not, since when (default: with --resume; --no-watch turns it off)',
  }),
  ...others,
}
