// A command of a build, run as a process of its own: how long it took, what of the processor and how much memory.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What one run took: seconds by the clock, the process's peak memory in MB, seconds of processor. */
export interface Cost {
  readonly seconds: number
  readonly peak: number
  readonly processor: number
}

/** @param work a folder for what the command reports @param bin the build's `bin/run.js` */
export function timedCommand(work: string, bin: string, args: readonly string[]): Cost {
  const started = performance.now()
  // the child says its own peak: what wait4 would tell includes the parent's memory at the fork
  const report = join(work, 'peak.txt')
  const probe = join(work, 'probe.cjs')
  writeFileSync(
    probe,
    `process.on('exit', () => {
    const fs = require('node:fs')
    const peak = /VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))
    const { user, system } = process.cpuUsage()
    fs.writeFileSync(${JSON.stringify(report)}, peak[1] + ' ' + (user + system))
  })`,
  )
  const { status, stderr } = spawnSync(process.execPath, ['--require', probe, bin, ...args], { encoding: 'utf8' })
  const seconds = (performance.now() - started) / 1000
  if (status !== 0) throw new Error(`lcclf ${args.join(' ')} failed:\n${stderr}`)
  const [peak, processor] = readFileSync(report, 'utf8').split(' ').map(Number)
  return { seconds, peak: peak! / 1024, processor: processor! / 1e6 }
}
