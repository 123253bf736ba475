// vitest's set-up of every test file: its temporary folders go when it ends, after whatever the file itself does then.
import { afterAll } from 'vitest'
import { removeTemporaryFolders } from './temporary-folder.ts'

afterAll(removeTemporaryFolders)
