// A thread that works out the sha256 of a file while another reads it.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { serveTasks } from '../forest/worker-pool.ts'

serveTasks<null, string, string>(() => async (path) => ({ answer: await sha256OfFile(path), transfer: [] }))

const pieceSize = 1 << 20

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    const piece = Buffer.allocUnsafeSlow(pieceSize)
    for (let position = 0; ;) {
      const { bytesRead } = await file.read(piece, 0, pieceSize, position)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(piece.subarray(0, bytesRead))
      position += bytesRead
    }
  } finally {
    await file.close()
  }
}
