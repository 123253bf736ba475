// A process that ends while it decodes a message: `decode-victim.ts FOLDER abort|hang|grow|finish`.
import { openDecodeGuard } from '../../src/jobs/stream/decode-guard.ts'

const [folder, how] = process.argv.slice(2) as [string, string]
const guard = openDecodeGuard({ milliseconds: 500, bytes: 200e6, folder, root: '/' }, (note) => console.error(note))
// the thread that watches must be there first
await new Promise((resolve) => setTimeout(resolve, 1500))
guard.enter({ topic: 'features', partition: 3, offset: 16n })
guard.leave()
guard.enter({ topic: 'features', partition: 3, offset: 17n })
if (how === 'abort') process.abort()
const grown: Buffer[] = []
while (how === 'hang' || how === 'grow')
  if (how === 'grow' && grown.length < 40) grown.push(Buffer.alloc(10_000_000, 1))
guard.leave()
await guard.close()
