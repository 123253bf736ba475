// The library: what the commands do, for programs. `openModel` and `classifyObjects` classify objects in memory; `runClassify`
// and `runStream` do what the commands do, with your own inputs and outputs if you like; below them are the parts of a run. Whatever
// goes wrong and can be mended is an `LcclfError`, with a `code`, an `exitCode` and a `hint`.
export { openModel } from './jobs/classify/open-model.ts'
export { classifyObjects, type ClassifiedObject, type ObjectToClassify } from './jobs/classify/classify-objects.ts'
export { runClassify } from './jobs/classify/run-classify.ts'
export { runStream, type StreamOptions } from './jobs/stream/run-stream.ts'
export type { ClassifyOptions } from './jobs/classify/plan.ts'
export type { Receipt } from './jobs/classify/receipt.ts'
export { BalanceError, DataError, LcclfError, ModelError, ServiceError, UsageError } from './errors.ts'
export { InterruptedError } from './terminal/interrupt.ts'

// sources and sinks of your own: what they are given, and what they must do
export {
  type Delivery,
  type InputIdentity,
  type ReadOptions,
  readOptions,
  type RowAllowance,
  type Source,
} from './pipeline/source.ts'
export type { Sink, SinkContext, WriteOutcome } from './pipeline/sink.ts'
export type { ClassifiedBatch, FeatureBatch, InputSchema, OidType, Reject } from './pipeline/batch.ts'
export type { Level, ModelIdentity, Taxonomy } from './pipeline/batch.ts'
export type { OpenSink, OpenSource, SinkSpec, SourceSpec } from './connectors/spec.ts'
export { openConnector, openSink, openSource, type OutputOptions } from './connectors/open-connector.ts'
export type { InputOptions } from './connectors/inputs.ts'

// the parts of a run
export type { Classifier } from './pipeline/classifier.ts'
export { classifyInput, type BatchReport, type ClassifyInputOptions } from './pipeline/classify-input.ts'
export { createLedger, type InputCounts, type Ledger, type OutputCounts } from './pipeline/ledger.ts'
export { alercePreprocessing, preprocess, type Preprocessing } from './pipeline/preprocess.ts'
export { denseRanks } from './pipeline/ranking.ts'
export { openClassifier, type ClassifierOptions } from './model/open.ts'
export { importModel } from './model/import-model.ts'
