// The compiled kernel, found beside this file (the build puts it there).
import { readFile } from 'node:fs/promises'

/** What the kernel exports. All arguments are addresses but the last one, the number of rows. */
interface Kernel {
  rankRows(shared: number, scratch: number, rows: number): void
  sumTrees(shared: number, level: number, scratch: number, rows: number): void
}

/** Compiles the kernel once for all threads: the module can be posted to workers. */
export async function compileKernel(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(await readFile(new URL('./forest-kernel.wasm', import.meta.url)))
}

/** The kernel over a memory that others share. */
export function instantiateKernel(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernel {
  // WebAssembly's own types know nothing of a module's exports
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as Kernel
}
