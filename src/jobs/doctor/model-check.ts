// The model that would answer: found, whole, and giving its golden answers.
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { answerGolden, enginesOf, isReproduced, openEngine } from '../../model/open.ts'
import { describeComparison } from '../../model/bundle/golden.ts'
import { verifyBundle } from '../../model/bundle/verify-bundle.ts'
import type { Check, Finding } from './check.ts'
import type { ChosenModel } from '../../model/store/model-reference.ts'
import type { ModelStore } from '../../model/store/model-store.ts'
import { messageOf, systemCode } from '../../errors.ts'
import { nearestFolder, whyNotWritable } from './machine-checks.ts'

/** See modelCheck. */
interface ModelCheckOptions {
  /** the model that a run without --model would use; undefined where there is none */
  readonly find: () => ChosenModel | undefined
  /** a stream is configured, which needs one */
  readonly isNeeded: boolean
  readonly cacheFolder: string
}

/** reading and asking the full-size model takes some seconds of this thread, on a slow machine many */
const limitMs = 120_000

/** Every check of `lcclf model verify`, with the engine that would be used. */
export function modelCheck({ find, isNeeded, cacheFolder }: ModelCheckOptions): Check {
  const name = 'model'
  return {
    name,
    limitMs,
    async look(): Promise<Finding[]> {
      const chosen = find()
      if (!chosen) return [noModel(name, isNeeded)]
      const { directory } = chosen
      const chosenBy = chosen.chosenBy === 'its name' ? 'LCCLF_MODEL' : chosen.chosenBy
      const { checks, bundle } = await verifyBundle(directory)
      const wrong = checks.find(({ ok }) => !ok)
      if (wrong) return [damaged(name, `${directory} (${chosenBy}): ${wrong.name}: ${wrong.detail}`)]
      const engine = enginesOf(bundle!)[0]!
      const classifier = await openEngine(directory, bundle!, { engine, threads: 1, cacheFolder })
      try {
        const comparison = await answerGolden(classifier, bundle!.golden)
        const { name: model, version } = bundle!.manifest
        const about = `${model}@${version} (${chosenBy})`
        if (!isReproduced(comparison, engine)) return [damaged(name, `${about}: ${describeComparison(comparison)}`)]
        return [{ name, status: 'ok', message: `${about}: checksums and golden answers verified` }]
      } finally {
        await classifier.close()
      }
    },
  }
}

function damaged(name: string, message: string): Finding {
  return { name, status: 'failed', message, hint: 'Pull or import it again; lcclf model verify tells more.' }
}

function noModel(name: string, isNeeded: boolean): Finding {
  return {
    name,
    status: isNeeded ? 'warning' : 'not configured',
    message: `no LCCLF_MODEL, no lcclf.lock here, and the store is empty${isNeeded ? ': a stream would have to pull one' : ''}`,
    hint: 'lcclf model pull downloads a model, lcclf model import makes one from pickles.',
  }
}

// The model store: is it there, what is in it, may it be changed?

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
