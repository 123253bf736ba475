// The model store: is it there, what is in it, may it be changed?
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { ModelStore } from '../../model/store/model-store.ts'
import { messageOf, systemCode } from '../../errors.ts'
import type { Check } from './check.ts'
import { nearestFolder, whyNotWritable } from './disk-check.ts'

/** A store that may only be read is a store: that is said, and no failure. */
export function storeCheck(store: ModelStore): Check {
  const name = 'model store'
  const { root } = store
  return {
    name,
    about: root,
    async look() {
      if (existsSync(root)) {
        try {
          await readdir(root)
        } catch (error) {
          const message = `${root}: cannot be read (${systemCode(error) ?? messageOf(error)})`
          return [{ name, status: 'failed', message, hint: 'LCCLF_HOME names a folder for a store of your own.' }]
        }
      }
      const models = store.list().map((model) => `${model.name}@${model.version}`)
      const content = models.length === 0 ? 'empty' : models.join(', ')
      const problem = await whyNotWritable(await nearestFolder(root))
      const use = problem === undefined ? '' : `; read-only (${problem}): models can be used, and none can be added`
      return [{ name, status: 'ok', message: `${root}: ${content}${use}` }]
    },
  }
}
