// Which tests start a process: found by following what a test file names, so that no list can go out of date.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const tests = fileURLToPath(new URL('..', import.meta.url))

/** who imports one of these starts processes: brokers, databases, browsers, or a command of ours */
const starters = /^import (?!type )[^'"]*'(node:child_process|playwright-core)'/m

/** Test files, as `test/…`, that start a process themselves or through another file below test/. */
export function processTests(): string[] {
  const files = readdirSync(tests, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'))
  return files.filter((path) => startsProcess(join(tests, path))).map((path) => join('test', path))
}

function startsProcess(path: string, seen = new Set<string>()): boolean {
  if (seen.has(path)) return false
  seen.add(path)
  const text = readFileSync(path, 'utf8')
  return starters.test(text) || filesNamedIn(path, text).some((named) => startsProcess(named, seen))
}

/** Files below test/ that a file imports, or names to start them. What is imported for its types alone does not run. */
function filesNamedIn(path: string, text: string): string[] {
  const names = text.replaceAll(/^import type [^'"]*'[^']*'$/gm, '').matchAll(/'([\w./-]+\.[jt]s)'/g)
  const named = [...names].map(([, name]) => join(dirname(path), name!))
  return named.filter((file) => !relative(tests, file).startsWith('..') && existsSync(file))
}
