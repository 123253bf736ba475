import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ModelError, ServiceError } from '../../src/errors.ts'
import { download, type DownloadOptions } from '../../src/transfer/download.ts'
import { fileReader } from '../../src/transfer/object-reader.ts'
import { httpReader } from '../../src/transfer/http-reader.ts'
import { cutAfter, type HttpModels, serveFile, startHttpModels } from '../support/http-models.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const content = randomBytes(700_000)
const sha256 = createHash('sha256').update(content).digest('hex')
const patience = { retries: 3, waitMs: 1, maxWaitMs: 10, stallMs: 200 }
const usual = { maxBytes: 1_000_000, patience }
let server: HttpModels
let path: string

beforeAll(async () => {
  server = await startHttpModels()
})

afterAll(() => server.close())

beforeEach(() => {
  server.fault = null
  server.requests.length = 0
  server.put('/model.pkl', content)
  path = join(temporaryFolder(), 'model.pkl')
})

function fetchFile(options: Partial<DownloadOptions> = {}, name = 'model.pkl', address = server.url) {
  const reader = httpReader(new URL(address), { allowHttp: false })
  return download(reader, name, path, { ...usual, ...options })
}

const failureOf = (work: Promise<unknown>): Promise<Error & { hint?: string }> =>
  work.then(
    () => expect.unreachable('it should have failed'),
    (error: Error) => error,
  )

describe('a download', () => {
  it('is the file, with its size, sha256 and ETag', async () => {
    const seen: number[] = []
    const got = await fetchFile({ onBytes: (done) => seen.push(done), expected: { sha256, size: content.length } })
    expect(got).toMatchObject({ kind: 'downloaded', sha256, size: content.length, etag: expect.stringMatching(/^"/) })
    expect(readFileSync(path).equals(content)).toBe(true)
    expect(seen.at(-1)).toBe(content.length)
  })

  it('resumes where a connection was cut, again and again, as long as it makes progress', async () => {
    server.fault = cutAfter(100_000)
    expect(await fetchFile({ patience: { ...patience, retries: 2 } })).toMatchObject({ kind: 'downloaded', sha256 })
    expect(server.requests.length).toBeGreaterThan(6)
    expect(server.requests[1]).toMatch(/bytes=\d{5,}-/)
  })

  it('gives up on a server that always cuts, says so, and the next call resumes with what arrived', async () => {
    server.fault = cutAfter(10_000)
    const error = await failureOf(fetchFile())
    expect(error).toBeInstanceOf(ServiceError)
    expect(error.message).toMatch(/cut.*gave up after \d+ attempts/)
    expect(existsSync(path)).toBe(false)
    server.fault = null
    server.requests.length = 0
    expect(await fetchFile()).toMatchObject({ sha256 })
    expect(server.requests[0]).toMatch(/bytes=[1-9]\d+-/)
  })

  it('begins again where the file changed in between', async () => {
    server.fault = cutAfter(300_000)
    await failureOf(fetchFile({ patience: { ...patience, retries: 0 } }))
    const other = randomBytes(650_000)
    server.put('/model.pkl', other)
    server.fault = null
    await fetchFile()
    expect(readFileSync(path).equals(other)).toBe(true)
  })

  it('begins again where the server does not support ranges', async () => {
    let count = 0
    server.fault = (request, response, file) => {
      if (count++ === 0) return cutAfter(300_000)(request, response, file)
      response.writeHead(200, { 'content-length': file!.bytes.length, etag: file!.etag }).end(file!.bytes)
      return true
    }
    expect(await fetchFile()).toMatchObject({ sha256 })
  })

  it('ends where a server stalls, and where it drips', async () => {
    for (const size of [0, 10]) {
      server.fault = (_, response, file) => {
        response.writeHead(200, { 'content-length': file!.bytes.length, etag: file!.etag })
        response.flushHeaders()
        const drip = setInterval(() => void response.write(Buffer.alloc(size)), 50)
        response.on('close', () => clearInterval(drip))
        return true
      }
      const error = await failureOf(fetchFile({ patience: { ...patience, retries: 1 } }))
      expect(error).toBeInstanceOf(ServiceError)
      expect(error.message).toContain('sends nothing for 0.2 s')
    }
  })

  it('refuses bytes that are not those expected, and keeps nothing of them', async () => {
    const error = await failureOf(fetchFile({ expected: { sha256: '0'.repeat(64) } }))
    expect(error).toBeInstanceOf(ModelError)
    expect(error.message).toContain(`its sha256 is ${sha256}, and should be 000`)
    expect(existsSync(path) || existsSync(`${path}.part`)).toBe(false)
    const short = await failureOf(fetchFile({ expected: { size: 5 } }))
    expect(short.message).toMatch(/has 700000 bytes, and should have 5/)
  })

  it('begins again where pieces of two files were put together', async () => {
    await failureOf((server.fault = cutAfter(300_000)) && fetchFile({ patience: { ...patience, retries: 0 } }))
    const part = readFileSync(`${path}.part`)
    part[7]! ^= 1
    writeFileSync(`${path}.part`, part)
    server.fault = null
    expect(await fetchFile({ expected: { sha256 } })).toMatchObject({ sha256 })
  })

  it('compares the MD5 that a server gives', async () => {
    server.fault = (_, response, file) => {
      const md5 = createHash('md5').update('something else').digest('base64')
      response.writeHead(200, { 'content-length': file!.bytes.length, 'content-md5': md5 }).end(file!.bytes)
      return true
    }
    expect((await failureOf(fetchFile())).message).toMatch(/its MD5 is \w+, and the server says/)
  })

  it('takes no more than a file may have, whether it is announced or not', async () => {
    const announced = await failureOf(fetchFile({ maxBytes: 1000 }))
    expect(announced.message).toContain('has 700000 bytes, more than the 1000')
    server.fault = (_, response, file) => {
      response.writeHead(200).end(file!.bytes)
      return true
    }
    const sent = await failureOf(fetchFile({ maxBytes: 1000 }))
    expect(sent.message).toContain('sends more than 1000 bytes')
    expect(existsSync(path)).toBe(false)
  })

  it('ends where a server announces more than it has', async () => {
    server.fault = (_, response, file) => {
      response.writeHead(200, { 'content-length': file!.bytes.length + 10 })
      response.write(file!.bytes)
      setTimeout(() => response.destroy(), 20)
      return true
    }
    expect((await failureOf(fetchFile())).message).toContain('cut')
  })

  it('refuses a part that was not asked for', async () => {
    let count = 0
    server.fault = (request, response, file) => {
      if (count++ === 0) return cutAfter(300_000)(request, response, file)
      response.writeHead(206, { 'content-range': `bytes 5-9/${file!.bytes.length}` }).end('abcde')
      return true
    }
    const error = await failureOf(fetchFile())
    expect(error).toBeInstanceOf(ServiceError)
    expect(error.message).toContain('the server sends bytes 5-9/700000')
    expect(existsSync(`${path}.part`) || existsSync(`${path}.part.json`)).toBe(false)
  })

  it('waits as long as a busy server asks, and asks again', async () => {
    let count = 0
    server.fault = (_, response) => {
      if (count++ > 1) return false
      response.writeHead(count === 1 ? 503 : 429, { 'retry-after': '0' }).end()
      return true
    }
    expect(await fetchFile()).toMatchObject({ sha256 })
    expect(server.requests).toHaveLength(3)
  })

  it('does not retry what a server refuses', async () => {
    server.fault = (_, response) => !!response.writeHead(400).end()
    expect((await failureOf(fetchFile())).message).toContain('answers 400')
    expect(server.requests).toHaveLength(1)
    expect(await fetchFile({}, 'absent.pkl').catch((error: Error) => error)).toBeInstanceOf(ServiceError)
    server.fault = null
    expect(await fetchFile({}, 'absent.pkl')).toEqual({ kind: 'absent', why: 'not found (404)' })
  })

  it('ends on a server that does not speak HTTP, and on one that is not there', async () => {
    const odd = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'))
    await new Promise<void>((resolve) => odd.listen(0, '127.0.0.1', resolve))
    const { port } = odd.address() as { port: number }
    expect(await failureOf(fetchFile({}, 'model.pkl', `http://127.0.0.1:${port}/`))).toBeInstanceOf(ServiceError)
    odd.close()
    const gone = await failureOf(fetchFile({}, 'model.pkl', `http://127.0.0.1:${port}/`))
    expect(gone.message).toMatch(/refused; gave up after 4 attempts/)
  })

  it('stops at a signal, and keeps what has arrived', async () => {
    const controller = new AbortController()
    server.fault = (_, response, file) => {
      response.writeHead(200, { 'content-length': file!.bytes.length, etag: file!.etag })
      response.write(file!.bytes.subarray(0, 300_000))
      return true
    }
    const work = fetchFile({ signal: controller.signal, onBytes: () => controller.abort() })
    expect((await failureOf(work)).name).toBe('AbortError')
    expect(existsSync(`${path}.part`)).toBe(true)
  })

  it('from a folder is the same', async () => {
    const folder = temporaryFolder()
    writeFileSync(join(folder, 'model.pkl'), content)
    expect(await download(fileReader(folder), 'model.pkl', path, usual)).toMatchObject({ sha256 })
    expect(await download(fileReader(folder), 'absent', `${path}2`, usual)).toEqual({
      kind: 'absent',
      why: 'not found',
    })
  })
})

describe('a part of a file that was changed meanwhile', () => {
  type Headers = Record<string, string>

  /** Cuts the first file, then serves another one without a look at If-Range. */
  function swapFor(other: Buffer, whole: [Headers, Headers], part: Headers | null): void {
    let count = 0
    server.fault = (request, response) => {
      const bytes = count === 0 ? content : other
      const head = { ...whole[count === 0 ? 0 : 1], 'content-length': bytes.length }
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
      if (count++ === 0) {
        response.writeHead(200, head)
        response.write(bytes.subarray(0, 300_000), () => setTimeout(() => response.destroy(), 20))
      } else if (from >= bytes.length) response.writeHead(416).end()
      else if (from > 0) {
        const range = `bytes ${from}-${bytes.length - 1}/${bytes.length}`
        response.writeHead(206, { ...part, 'content-range': range }).end(bytes.subarray(from))
      } else response.writeHead(200, head).end(bytes)
      return true
    }
  }
  const [noon, dusk] = ['Mon, 01 Sep 2025 12:00:00 GMT', 'Mon, 01 Sep 2025 18:00:00 GMT']
  const same = randomBytes(content.length)
  const longer = randomBytes(content.length + 5)

  it.each<[string, Buffer, [Headers, Headers], Headers | null]>([
    ['another ETag', same, [{ etag: '"a"' }, { etag: '"b"' }], { etag: '"b"' }],
    ['no ETag any more', same, [{ etag: '"a"' }, {}], {}],
    ['another date', same, [{ 'last-modified': noon }, { 'last-modified': dusk }], { 'last-modified': dusk }],
    ['a date for an ETag', same, [{ etag: '"a"' }, { 'last-modified': dusk }], { 'last-modified': dusk }],
    ['another size', longer, [{ 'last-modified': noon }, {}], {}],
    ['fewer bytes than arrived', randomBytes(200_000), [{ etag: '"a"' }, { etag: '"b"' }], null],
  ])('that has %s is not appended to the first: the download begins anew', async (_, other, whole, part) => {
    swapFor(other, whole, part)
    await fetchFile()
    expect(readFileSync(path).equals(other)).toBe(true)
    expect(server.requests).toHaveLength(3)
    expect(server.requests[2]).toBe('/model.pkl')
  })

  it('resumes where the date is the same, and where it is not repeated', async () => {
    for (const part of [{ 'last-modified': noon }, {}]) {
      server.requests.length = 0
      path = join(temporaryFolder(), 'model.pkl')
      swapFor(content, [{ 'last-modified': noon }, {}], part)
      expect(await fetchFile()).toMatchObject({ sha256, etag: noon })
      expect(server.requests).toHaveLength(2)
    }
  })

  it('is given up where the file keeps changing, and the next call is a fresh one', async () => {
    let count = 0
    server.fault = (request, response, file) => {
      const etag = `"${count++}"`
      if (request.headers.range === undefined) return cutAfter(300_000)(request, response, { ...file!, etag })
      const range = `bytes 300000-${content.length - 1}/${content.length}`
      response.writeHead(206, { etag, 'content-range': range }).end(content.subarray(300_000))
      return true
    }
    const error = await failureOf(fetchFile())
    expect(error).toBeInstanceOf(ServiceError)
    expect([error.message, error.hint]).toEqual([expect.stringContaining('gave up'), expect.stringContaining('keeps')])
    server.fault = null
    expect(await fetchFile()).toMatchObject({ sha256 })
  })
})

describe('a redirect', () => {
  const redirectTo = (location: string, status = 302): void => {
    server.fault = (request, response) =>
      request.url === '/model.pkl' && !!response.writeHead(status, { location }).end()
  }

  it('is followed, with its range', async () => {
    server.put('/elsewhere/x', content)
    redirectTo('/elsewhere/x')
    expect(await fetchFile()).toMatchObject({ sha256 })
  })

  it('never takes a password to another host', async () => {
    const other = await startHttpModels()
    const seen: (string | undefined)[] = []
    other.fault = (request, response) => {
      seen.push(request.headers.authorization)
      serveFile(request, response, { bytes: content, etag: '"x"' })
      return true
    }
    redirectTo(`${other.url}x`)
    const address = server.url.replace('//', '//user:secret@')
    expect(await fetchFile({}, 'model.pkl', address)).toMatchObject({ sha256 })
    expect(seen).toEqual([undefined])
    await other.close()
  })

  it.each([
    ['http://203.0.113.7/x', 'which is plain http'],
    ['file:///etc/passwd', 'which is not an http'],
    ['http://user:pw@127.0.0.1/x', 'with a user or password'],
  ])('to %s is refused', async (location, why) => {
    redirectTo(location)
    const error = await failureOf(fetchFile())
    expect(error).toBeInstanceOf(ServiceError)
    expect(error.message).toContain(why)
    expect(error.message).not.toContain('pw@')
  })

  it('in a circle is given up', async () => {
    redirectTo('/model.pkl')
    expect((await failureOf(fetchFile())).message).toContain('redirects more than 5 times')
  })
})

describe('an http address', () => {
  it('of another machine is refused unless it was allowed', () => {
    const url = new URL('http://user:secret@models.example.org/x/?token=secret')
    expect(() => httpReader(url, { allowHttp: false })).toThrow('http://models.example.org/x/: plain http')
    expect(httpReader(url, { allowHttp: true }).address).toBe('http://models.example.org/x/')
  })
})
