// Threads from the file beside a module, which is TypeScript where the module is.
import { Worker, type WorkerOptions } from 'node:worker_threads'

/** The file of a worker beside a module: in the sources it is TypeScript, as the module is. */
export function workerBeside(moduleUrl: string, name: string): URL {
  return new URL(`./${name}${moduleUrl.endsWith('.ts') ? '.ts' : '.js'}`, moduleUrl)
}

/** Starts a thread. */
export function startWorker(file: URL, options: Pick<WorkerOptions, 'resourceLimits' | 'workerData'>): Worker {
  if (!file.pathname.endsWith('.ts')) return new Worker(file, options)
  // run from the sources (tests, bin/dev.js), where Node 20 needs a loader
  const source = `import('tsx/esm/api').then(({ register }) => { register(); return import('${file.href}') })`
  return new Worker(source, { ...options, eval: true })
}
