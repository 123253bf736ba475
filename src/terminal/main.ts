// The program: oclif finds what was typed. bin/run.js starts it.
import { execute } from '@oclif/core/execute'

await execute({ dir: import.meta.url })
