// This machine: Node, what its processor and its memory are good for.
import { readFile } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { compileKernel } from '../../model/forest/kernel/kernel-module.ts'
import { messageOf } from '../../errors.ts'
import type { Check, Finding } from './check.ts'
import { byteText } from '../../formats/byte-text.ts'

/** a run with the full-size model holds this much */
const neededMemory = 300e6

/** @param required as `engines` of package.json says it: `>=20.19.4` */
export function nodeCheck(required: string): Check {
  const name = 'node'
  const look = (): Finding => {
    const message = `${process.version}, ${process.platform} ${process.arch}`
    if (isAtLeast(process.versions.node, required.replace(/^\D+/, ''))) return { name, status: 'ok', message }
    return { name, status: 'failed', message: `${message}: lcclf needs ${required}`, hint: 'Install a newer Node.js.' }
  }
  return { name, look: () => Promise.resolve([look()]) }
}

/** Whether a version is another or newer; pre-releases count as what they lead to. */
export function isAtLeast(version: string, least: string): boolean {
  const [own, wanted] = [version, least].map((text) => text.split('-', 1)[0]!.split('.').map(Number)) as [
    number[],
    number[],
  ]
  for (const [i, part] of wanted.entries()) {
    const difference = (own[i] ?? 0) - part
    if (difference !== 0) return difference > 0
  }
  return true
}

/** What the forest's kernel needs: WebAssembly with SIMD, and memory that threads share. */
export function processorCheck(): Check {
  const name = 'cpu'
  return {
    name,
    async look() {
      const cores = `${availableParallelism()} cores${await limitText()}`
      try {
        await compileKernel()
        new SharedArrayBuffer(8)
        return [{ name, status: 'ok', message: `${cores}, WebAssembly with SIMD and shared memory` }]
      } catch (error) {
        const message = `${cores}: the kernel cannot be compiled (${messageOf(error).split('\n', 1)[0]!})`
        const hint = 'Node must be allowed WebAssembly SIMD and threads (--no-wasm-simd and --jitless forbid them).'
        return [{ name, status: 'failed', message, hint }]
      }
    },
  }
}

/** A container's share of the processors, which the number of cores does not tell. */
async function limitText(): Promise<string> {
  const text = await readFile('/sys/fs/cgroup/cpu.max', 'utf8').catch(() => '')
  const [quota, period] = text.trim().split(' ').map(Number)
  return quota !== undefined && period !== undefined && quota / period > 0
    ? `, ${(quota / period).toFixed(1)} of them for this container`
    : ''
}

/** Free memory, within the container's limit where there is one. */
export function memoryCheck(): Check {
  const name = 'memory'
  const look = (): Finding => {
    const total = totalmem()
    const limit = process.constrainedMemory()
    // without a limit it is 0, or larger than all there is
    const isLimited = limit > 0 && limit < total
    const free = isLimited ? process.availableMemory() : freemem()
    const message = `${byteText(free)} free of ${byteText(isLimited ? limit : total)}${isLimited ? ' (the limit of this container)' : ''}`
    if (free >= neededMemory) return { name, status: 'ok', message }
    return {
      name,
      status: 'warning',
      message: `${message}: a run takes about ${byteText(neededMemory)}`,
      hint: 'Give it more, or use a smaller --batch-size and --threads 1.',
    }
  }
  return { name, look: () => Promise.resolve([look()]) }
}
