// The jars of Apache Kafka, fetched once by Maven into the project's cache.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** the broker that the tests run against */
const kafkaVersion = '4.1.1'

const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
const cache = fileURLToPath(new URL('../../.cache/kafka', import.meta.url))

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lcclf</groupId><artifactId>test-broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafkaVersion}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
`

/** The class path of a broker; fetches it when it is not there yet. Throws where Maven or the network is missing. */
export async function kafkaClassPath(): Promise<string> {
  const folder = join(cache, kafkaVersion)
  if (!existsSync(folder)) await fetchInto(folder)
  return join(folder, '*')
}

/** Fetched beside and renamed: two test files may want it at once, and one of them may be interrupted. */
async function fetchInto(folder: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'lcclf-kafka-jars-'))
  mkdirSync(cache, { recursive: true })
  const beside = mkdtempSync(join(cache, 'fetching-'))
  try {
    writeFileSync(join(work, 'pom.xml'), pom)
    await run('mvn', ['-q', '-B', plugin, `-DoutputDirectory=${beside}`, '-DincludeScope=runtime'], {
      cwd: work,
      timeout: 600_000,
    })
    if (!readdirSync(beside).some((name) => name.startsWith('kafka_'))) throw new Error('Maven fetched no broker')
    if (!existsSync(folder)) renameSync(beside, folder)
  } finally {
    rmSync(work, { recursive: true, force: true })
    rmSync(beside, { recursive: true, force: true })
  }
}
