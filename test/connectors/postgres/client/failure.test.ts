import { describe, expect, it } from 'vitest'
import { DataError } from '../../../../src/errors.ts'
import {
  isConflict,
  isConnectionLost,
  postgresFailure,
  statementFailure,
} from '../../../../src/connectors/postgres/client/failure.ts'
import { settingsOf } from '../../../support/postgres-database.ts'

/** as pg throws what a server said */
function serverError(code: string, more: Record<string, unknown> = {}): Error {
  return Object.assign(new Error('said so'), { code, severity: 'ERROR', ...more })
}

describe('a lost connection', () => {
  it.each(['ECONNRESET', 'EPIPE', '57P01', '57P03', '25P03', '53300'])('is recognised by %s', (code) => {
    expect(isConnectionLost(serverError(code))).toBe(true)
  })

  it('is what PgBouncer says while its server is away, not a protocol error of ours', () => {
    expect(isConnectionLost(serverError('08P01', { severity: 'FATAL' }))).toBe(true)
    expect(isConnectionLost(serverError('08P01'))).toBe(false)
  })

  it('includes a name that is not found, but only if it was found before', () => {
    expect(isConnectionLost(serverError('ENOTFOUND'))).toBe(false)
    expect(isConnectionLost(serverError('ENOTFOUND'), true)).toBe(true)
  })

  it('is not a conflict, a wrong password or a full disk', () => {
    for (const code of ['40001', '40P01', '23505', '23503']) {
      expect(isConnectionLost(serverError(code))).toBe(false)
      expect(isConflict(serverError(code))).toBe(true)
    }
    for (const code of ['28P01', '53100']) expect(isConflict(serverError(code))).toBe(false)
  })
})

describe('a statement of the user', () => {
  it.each(['42601', '22012', '21000', 'P0001', '0A000', '25006'])('is at fault for %s', (code) => {
    expect(statementFailure(serverError(code), 'the query')).toBeInstanceOf(DataError)
  })

  it.each(['42501', '53100', '57014', '40001', 'ECONNRESET'])('is not at fault for %s', (code) => {
    expect(statementFailure(serverError(code), 'the query')).toBeUndefined()
  })
})

it('our own bug stays one, and does not become a failure of the server', () => {
  const bug = new TypeError('x is not a function')
  expect(postgresFailure(bug, settingsOf('postgres://u@h/d'))).toBe(bug)
})
