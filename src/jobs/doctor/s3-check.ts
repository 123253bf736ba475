// S3: credentials, endpoint, and the bucket if one is named.
import { messageOf } from '../../errors.ts'
import { reachS3 } from './reach-s3.ts'
import { parseS3Address, s3Settings } from '../../connectors/s3/address.ts'
import { TransientError } from '../../transfer/transient-error.ts'
import type { Check, Finding } from './check.ts'
import { readingOf } from './clock.ts'

type Environment = Readonly<Record<string, string | undefined>>

const name = 's3'

/** any of these says that somebody means to use S3 */
const variables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
]

/** Whether the environment has settings for S3. */
export function isS3Configured(environment: Environment): boolean {
  return variables.some((variable) => (environment[variable] ?? '') !== '')
}

/** @param address `s3://bucket/key`; undefined: the settings alone */
export function s3Check(address: string | undefined, environment: Environment): Check {
  return {
    name,
    about: address,
    async look({ signal, tellClock }): Promise<Finding[]> {
      const settings = s3Settings(environment)
      const place = address ?? settings.endpoint ?? 'the settings (AWS_…)'
      const sent = Date.now()
      try {
        // nothing but a question is sent, and plain http within a cluster is no failure
        const options = { settings, needsCredentials: false, allowHttp: true }
        const parsed = address === undefined ? undefined : parseS3Address(address)
        const { serverTime, hasObjects, isAnonymous } = await reachS3(parsed, options, signal)
        const received = Date.now()
        // the header has whole seconds
        if (serverTime !== null) tellClock(readingOf('S3', serverTime + 500, sent, received))
        const who = isAnonymous ? 'without credentials' : 'with credentials'
        const content = hasObjects === null ? '' : hasObjects ? ', objects are there' : ', nothing is there yet'
        return [{ name, status: 'ok', message: `${place} answers, ${who}${content}` }]
      } catch (error) {
        if (!(error instanceof TransientError)) throw error
        const hint = 'Is the endpoint right (AWS_ENDPOINT_URL), and reachable from here?'
        return [{ name, status: 'failed', message: messageOf(error), hint }]
      }
    },
  }
}
