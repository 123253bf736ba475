#!/usr/bin/env node
import module from 'node:module'

// compiled code is kept between runs where Node can do that (22.1 and later): a third of the start-up time
module.enableCompileCache?.()
// a bug's stack trace names the files of src/
if (process.env.DEBUG?.includes('lcclf')) process.setSourceMapsEnabled(true)
await import('../dist/terminal/main.js')
