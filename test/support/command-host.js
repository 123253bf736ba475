// A process that runs one lcclf command after the other, as it is asked to by its parent: node and its modules start once.
// Plain JavaScript: the threads of a command inherit how its process was started.
import { Config } from '@oclif/core/config'
import { run } from '@oclif/core/run'
import { fileURLToPath } from 'node:url'

const config = await Config.load({ root: fileURLToPath(new URL('../..', import.meta.url)) })

process.on('message', (asked) => void runCommand(asked).then((outcome) => process.send(outcome)))
process.send('ready')

async function runCommand({ args, cwd, env }) {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  Object.assign(process.env, env)
  process.chdir(cwd)
  process.exitCode = undefined
  const [stdout, stderr] = [capture(process.stdout), capture(process.stderr)]
  let code
  try {
    await run(args, config)
    // what the command left for the next turns
    await new Promise((resolve) => setImmediate(resolve))
  } catch (error) {
    code = error.oclif?.exit ?? 1
    process.stderr.write(`${error}\n`)
  }
  return { code: code ?? Number(process.exitCode ?? 0), stdout: stdout.end(), stderr: stderr.end() }
}

function capture(stream) {
  const chunks = []
  const { write } = stream
  const listeners = stream.listeners('error')
  stream.write = (chunk, encoding, callback) => {
    chunks.push(Buffer.from(chunk))
    const done = typeof encoding === 'function' ? encoding : callback
    if (done) setImmediate(done)
    return true
  }
  return {
    end() {
      stream.write = write
      // each command listens for as long as its process lives
      for (const listener of stream.listeners('error')) {
        if (!listeners.includes(listener)) stream.off('error', listener)
      }
      return Buffer.concat(chunks).toString()
    },
  }
}
