// The tables of the survey's pipeline as its own library creates them (db-plugins), and the one that lcclf adds.

import { btree, foreignKey, optional, primaryKey, real, required, type TableDefinition, text } from './definition.ts'

const object: TableDefinition = {
  name: 'object',
  columns: [
    ...required(text, 'oid'),
    ...optional('integer', 'ndethist', 'ncovhist'),
    ...optional(real, 'mjdstarthist', 'mjdendhist'),
    ...optional('boolean', 'corrected', 'stellar'),
    ...optional('integer', 'ndet'),
    ...optional(real, 'g_r_max', 'g_r_max_corr', 'g_r_mean', 'g_r_mean_corr', 'meanra', 'meandec', 'sigmara'),
    ...optional(real, 'sigmadec', 'deltajd', 'firstmjd', 'lastmjd'),
    ...optional(text, 'step_id_corr'),
    ...optional('boolean', 'diffpos', 'reference_change'),
  ],
  constraints: [primaryKey('object', 'oid')],
  indexes: ['firstmjd', 'g_r_max', 'g_r_mean_corr', 'meandec', 'meanra', 'ndet'].map((column) =>
    btree(`ix_object_${column}`, column),
  ),
}

const step: TableDefinition = {
  name: 'step',
  columns: [
    ...required(text, 'step_id', 'name', 'version', 'comments'),
    ...required('timestamp without time zone', 'date'),
  ],
  constraints: [primaryKey('step', 'step_id')],
  indexes: [],
}

const featureVersion: TableDefinition = {
  name: 'feature_version',
  columns: [...required(text, 'version'), ...optional(text, 'step_id_feature', 'step_id_preprocess')],
  constraints: [
    primaryKey('feature_version', 'version'),
    foreignKey('feature_version_step_id_feature_fkey', 'step_id_feature', 'step(step_id)'),
    foreignKey('feature_version_step_id_preprocess_fkey', 'step_id_preprocess', 'step(step_id)'),
  ],
  indexes: [],
}

const feature: TableDefinition = {
  name: 'feature',
  columns: [
    ...required(text, 'oid', 'name'),
    ...optional(real, 'value'),
    ...required('integer', 'fid'),
    ...required(text, 'version'),
  ],
  constraints: [
    primaryKey('feature', 'oid', 'name', 'fid', 'version'),
    foreignKey('feature_oid_fkey', 'oid', 'object(oid)'),
    foreignKey('feature_version_fkey', 'version', 'feature_version(version)'),
  ],
  indexes: [{ name: 'ix_feature_oid_2', sql: 'USING hash (oid)' }],
}

const taxonomy: TableDefinition = {
  name: 'taxonomy',
  columns: [...required(text, 'classifier_name', 'classifier_version'), ...required('character varying[]', 'classes')],
  constraints: [primaryKey('taxonomy', 'classifier_name', 'classifier_version')],
  indexes: [],
}

const probability: TableDefinition = {
  name: 'probability',
  columns: [
    ...required(text, 'oid', 'class_name', 'classifier_name', 'classifier_version'),
    ...required(real, 'probability'),
    ...required('integer', 'ranking'),
  ],
  constraints: [
    primaryKey('probability', 'oid', 'class_name', 'classifier_name', 'classifier_version'),
    foreignKey('probability_oid_fkey', 'oid', 'object(oid)'),
  ],
  indexes: [
    { name: 'ix_classification_rank1', sql: 'USING btree (ranking) WHERE (ranking = 1)' },
    { name: 'ix_probabilities_oid', sql: 'USING hash (oid)' },
    btree('ix_probabilities_probability', 'probability'),
    btree('ix_probabilities_ranking', 'ranking'),
  ],
}

/** The pipeline's tables, each after those that it refers to. */
export const pipelineTables: readonly TableDefinition[] = [object, step, featureVersion, feature, taxonomy, probability]

/** The tables that the sink writes. */
export const writtenTables: readonly TableDefinition[] = [probability, taxonomy, step]

/**
 * The table that lets the newer alert win: it has the candid of each object's stored classification. It has no foreign key,
 * because `probability` has one and is written with it.
 */
export const historyTable: TableDefinition = {
  name: 'lcclf_history',
  columns: [
    ...required(text, 'oid', 'classifier_version'),
    ...optional('bigint', 'candid'),
    ...required(text, 'run'),
    ...required('timestamp with time zone', 'time'),
  ],
  constraints: [primaryKey('lcclf_history', 'oid', 'classifier_version')],
  indexes: [],
}
