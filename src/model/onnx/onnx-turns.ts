// Lets a process end while a thread is inside onnxruntime: its native code aborts the process (exit code 134, a core
// dump) if its thread is stopped meanwhile, and Node stops all threads at the end of the process.

const idle = 0
const busy = 1
const stopped = 2

/** One word in shared memory: what the thread is doing. */
export type Turns = Int32Array<SharedArrayBuffer>

/** how long the end of the process waits for one turn, in ms: loading a graph of gigabytes, on a machine that swaps */
const patience = 60_000

const open = new Set<Turns>()
let isListening = false

/** The asking side: from now on the end of the process waits for the turn that is under way, and no other begins. */
export function openTurns(): Turns {
  const turns = new Int32Array(new SharedArrayBuffer(4))
  if (!isListening) process.on('exit', () => open.forEach(stopTurns))
  isListening = true
  open.add(turns)
  return turns
}

/** The thread has ended, or has nothing more to do. */
export function closeTurns(turns: Turns): void {
  open.delete(turns)
}

/** Waits, blocking, until the thread is outside onnxruntime, and keeps it there. */
export function stopTurns(turns: Turns): void {
  const deadline = Date.now() + patience
  while (Atomics.compareExchange(turns, 0, idle, stopped) === busy) {
    if (Atomics.wait(turns, 0, busy, deadline - Date.now()) === 'timed-out') return
  }
}

/** The thread's side: does something inside onnxruntime, unless the process is ending. */
export async function takeTurn<T>(turns: Turns, work: () => Promise<T>): Promise<T> {
  if (Atomics.compareExchange(turns, 0, idle, busy) !== idle) throw new Error('the process is ending')
  try {
    return await work()
  } finally {
    Atomics.store(turns, 0, idle)
    Atomics.notify(turns, 0)
  }
}
