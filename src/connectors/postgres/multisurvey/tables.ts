// The survey's tables since 2025: integer ids, float32, partitions by the hash of oid.
import { btree, optional, primaryKey, real, required, type TableDefinition, text } from '../tables/definition.ts'

export const sidLut: TableDefinition = {
  name: 'sid_lut',
  columns: [...required('smallint', 'sid', 'tid'), ...optional(text, 'survey_name')],
  constraints: [primaryKey('sid_lut', 'sid')],
  indexes: [],
}

export const classifier: TableDefinition = {
  name: 'classifier',
  columns: [
    ...required('integer', 'classifier_id'),
    ...required(text, 'classifier_name', 'classifier_version'),
    ...required('smallint', 'tid'),
  ],
  constraints: [primaryKey('classifier', 'classifier_id')],
  indexes: [],
}

export const taxonomy: TableDefinition = {
  name: 'taxonomy',
  columns: [
    ...required('integer', 'class_id'),
    ...required(text, 'class_name'),
    ...required('integer', 'order'),
    ...required('smallint', 'classifier_id'),
  ],
  constraints: [primaryKey('taxonomy', 'class_id', 'classifier_id')],
  indexes: [],
}

const object: TableDefinition = {
  name: 'object',
  columns: [
    ...required('bigint', 'oid'),
    ...required('smallint', 'sid', 'tid'),
    ...optional(real, 'meanra', 'meandec', 'firstmjd', 'lastmjd'),
    ...optional('integer', 'n_det'),
  ],
  constraints: [primaryKey('object', 'oid', 'sid')],
  indexes: [],
  partitions: 16,
}

export const probability: TableDefinition = {
  name: 'probability',
  columns: [
    ...required('bigint', 'oid'),
    ...required('smallint', 'sid', 'classifier_id', 'classifier_version', 'class_id'),
    ...required('real', 'probability'),
    ...required('smallint', 'ranking'),
    ...required(real, 'lastmjd'),
  ],
  constraints: [primaryKey('probability', 'oid', 'sid', 'classifier_id', 'class_id')],
  indexes: [
    { name: 'ix_probability_oid', sql: 'USING hash (oid)' },
    btree('ix_probability_ranking', 'ranking'),
    {
      name: 'ix_probability_classification_rank1',
      sql: 'USING btree (classifier_id, class_id, probability) WHERE (ranking = 1)',
    },
  ],
  partitions: 16,
}

const feature: TableDefinition = {
  name: 'feature',
  columns: [
    ...required('bigint', 'oid'),
    ...required('smallint', 'sid', 'feature_id', 'band', 'version'),
    ...optional(real, 'value'),
    ...optional('date', 'updated_date'),
  ],
  constraints: [primaryKey('feature', 'oid', 'sid', 'feature_id', 'band')],
  indexes: [],
  partitions: 32,
}

const featureNameLut: TableDefinition = {
  name: 'feature_name_lut',
  columns: [...required('smallint', 'feature_id'), ...required(text, 'feature_name')],
  constraints: [primaryKey('feature_name_lut', 'feature_id')],
  indexes: [],
}

const featureVersionLut: TableDefinition = {
  name: 'feature_version_lut',
  columns: [...required('smallint', 'version_id'), ...required(text, 'version_name')],
  constraints: [primaryKey('feature_version_lut', 'version_id')],
  indexes: [],
}

const band: TableDefinition = {
  name: 'band',
  columns: [
    ...required('smallint', 'sid', 'tid', 'band'),
    ...optional(text, 'band_name'),
    ...optional('integer', 'order'),
  ],
  constraints: [primaryKey('band', 'sid', 'tid', 'band')],
  indexes: [],
}

/** All of them, in the order in which they are created. */
export const surveyTables: readonly TableDefinition[] = [
  ...[sidLut, classifier, taxonomy, object, probability],
  ...[feature, featureNameLut, featureVersionLut, band],
]

/** The rows of `sid_lut`: which surveys there are, and which telescope each is of. */
export const knownSurveys: readonly { readonly sid: number; readonly tid: number; readonly name: string }[] = [
  { sid: 0, tid: 0, name: 'ztf' },
  { sid: 1, tid: 1, name: 'lsst dia' },
  { sid: 2, tid: 1, name: 'lsst ss' },
]

/** What the survey's own database has at tid 0: a database of one's own then has the same numbers. */
export const knownClassifierIds: ReadonlyMap<string, number> = new Map([
  ['lc_classifier_BHRF_forced_phot', 5],
  ['lc_classifier_BHRF_forced_phot_top', 6],
  ['lc_classifier_BHRF_forced_phot_transient', 7],
  ['lc_classifier_BHRF_forced_phot_stochastic', 8],
  ['lc_classifier_BHRF_forced_phot_periodic', 9],
])
