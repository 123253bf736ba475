// One classified object → the output message of the pipeline, byte by byte as the original writes it.
import { ByteWriter } from '../../formats/byte-writer.ts'
import type { Taxonomy } from '../../pipeline/batch.ts'
import { createFraming, type FramedValue, type Framing } from './framing.ts'

/** class → probability, in order */
export interface MessageLevel {
  readonly classes: readonly string[]
  /** `classes.length` values from `start` on */
  readonly values: Float64Array
  readonly start: number
}

export interface OutputMessage {
  readonly oid: string
  /** null only where the schema has none (`hasCandid`) */
  readonly candid: bigint | null
  /** a number for each of the encoder's features: NaN and ±∞ are written as null */
  readonly features: Float64Array
  /** the product over all classes */
  readonly probabilities: MessageLevel
  readonly className: string
  /** undefined for a model of one level: its `top` and `children` are empty */
  readonly top: MessageLevel | undefined
  /** branch → its level, in order */
  readonly children: readonly { readonly branch: string; readonly level: MessageLevel }[]
}

/** Whether messages of a schema have a candid, and so an object without one can have no message. */
export const hasCandid = (schema: OutputSchema): boolean => schema !== 'alerce-2025'

/** The features that messages of a schema have: the survey's 178 of 2021, whatever the model uses, or the model's own. */
export function messageFeatures(schema: OutputSchema, ofModel: readonly string[]): readonly string[] {
  return schema === 'alerce-2025' ? ofModel : outputFeatures.map(({ name }) => name)
}

/**
 * Writes messages, in an Avro container each unless the framing is another. Probabilities are float32 here and float64 in
 * the database.
 *
 * @param options `features`: the names of the features, for a schema that has them as a map
 */
export function createOutputMessageEncoder(
  schema: OutputSchema,
  options: { readonly framing?: Framing | undefined; readonly features?: readonly string[] } = {},
): (message: OutputMessage) => FramedValue {
  const frame = createFraming(outputSchemaText(schema), options.framing)
  const isLegal = schema === 'legal'
  const names = options.features ?? []
  const formOf = createMapForms()
  // about what a message needs beside its schema
  const record = new ByteWriter(16 * 1024)

  /** In a union with null, as what the values are in a union of boolean, float, null and int. */
  function featureMap(values: Float64Array): void {
    record.varint(0)
    if (names.length > 0) record.varint(names.length)
    names.forEach((name, f) => {
      record.varintText(name)
      const isMissing = !Number.isFinite(Math.fround(values[f]!))
      record.varint(isMissing ? 2 : 1)
      if (!isMissing) record.float32LE(values[f]!)
    })
    record.varint(0)
  }

  /** @param isTagged whether values are in a union, of which they are the first branch */
  function map({ classes, values, start }: MessageLevel, isTagged = false): void {
    const { bytes, places } = formOf(classes, isTagged)
    record.rawWithFloat32LE(bytes, places, values, start)
  }

  function childMaps(children: OutputMessage['children']): void {
    if (children.length > 0) record.varint(children.length)
    for (const { branch, level } of children) {
      record.varintText(branch)
      map(level)
    }
    record.varint(0)
  }

  function hierarchical({ top = noLevel, children }: OutputMessage): void {
    if (isLegal) {
      map(top)
      childMaps(children)
      return
    }
    record.varint(2)
    record.varintText('top')
    record.varint(0)
    map(top)
    record.varintText('children')
    // the original takes the first branch that fits, and an empty map fits the first
    record.varint(children.length > 0 ? 1 : 0)
    childMaps(children)
    record.varint(0)
  }

  return (message) => {
    record.clear()
    record.varintText(message.oid)
    if (hasCandid(schema)) {
      record.varint64(message.candid!)
      record.numbersOrNull(message.features, doubles)
    } else featureMap(message.features)
    map(message.probabilities, !isLegal)
    record.varintText(message.className)
    hierarchical(message)
    return frame(record.written)
  }
}

/** A map of floats as it is written, but for the floats. */
interface MapForm {
  readonly bytes: Buffer
  /** where each float has its four bytes */
  readonly places: readonly number[]
}

/** Forms by their keys, each made once: the arrays of a model's classes are the same for all messages. */
function createMapForms(): (keys: readonly string[], isTagged: boolean) => MapForm {
  const known = { plain: new WeakMap<readonly string[], MapForm>(), tagged: new WeakMap<readonly string[], MapForm>() }
  return (keys, isTagged) => {
    const forms = isTagged ? known.tagged : known.plain
    let form = forms.get(keys)
    if (!form) forms.set(keys, (form = mapForm(keys, isTagged)))
    return form
  }
}

function mapForm(keys: readonly string[], isTagged: boolean): MapForm {
  const writer = new ByteWriter(1024)
  if (keys.length > 0) writer.varint(keys.length)
  const places = keys.map((key) => {
    writer.varintText(key)
    if (isTagged) writer.varint(0)
    const place = writer.length
    writer.float32LE(0)
    return place
  })
  writer.varint(0)
  return { bytes: writer.take(), places }
}

const noLevel: MessageLevel = { classes: [], values: new Float64Array(0), start: 0 }

/** The places of a taxonomy's levels beside the product: the top, if there is one, and those of its branches in order. */
export function levelPlaces({ levels }: Taxonomy): { top: number | undefined; branches: readonly number[] } {
  const others = levels.flatMap(({ isCalibrated }, place) => (place === 0 || isCalibrated ? [] : [place]))
  const top = others.find((place) => levels[place]!.branch === null)
  return { top, branches: others.filter((place) => place !== top) }
}

/** The fields of `features_record` in their order (seed: `features_schema.py`); `*` marks `double`, the others are `float`. */
const featureFields = `
Amplitude_1 Amplitude_2 AndersonDarling_1 AndersonDarling_2 Autocor_length_1* Autocor_length_2* Beyond1Std_1
Beyond1Std_2 Con_1* Con_2* Eta_e_1 Eta_e_2 ExcessVar_1* ExcessVar_2* GP_DRW_sigma_1* GP_DRW_sigma_2*
GP_DRW_tau_1 GP_DRW_tau_2 Gskew_1 Gskew_2 Harmonics_mag_1_1 Harmonics_mag_1_2 Harmonics_mag_2_1
Harmonics_mag_2_2 Harmonics_mag_3_1 Harmonics_mag_3_2 Harmonics_mag_4_1 Harmonics_mag_4_2 Harmonics_mag_5_1
Harmonics_mag_5_2 Harmonics_mag_6_1 Harmonics_mag_6_2 Harmonics_mag_7_1 Harmonics_mag_7_2 Harmonics_mse_1*
Harmonics_mse_2* Harmonics_phase_2_1 Harmonics_phase_2_2 Harmonics_phase_3_1 Harmonics_phase_3_2
Harmonics_phase_4_1 Harmonics_phase_4_2 Harmonics_phase_5_1 Harmonics_phase_5_2 Harmonics_phase_6_1
Harmonics_phase_6_2 Harmonics_phase_7_1 Harmonics_phase_7_2 IAR_phi_1* IAR_phi_2 LinearTrend_1 LinearTrend_2*
MHPS_PN_flag_1* MHPS_PN_flag_2* MHPS_high_1 MHPS_high_2* MHPS_low_1 MHPS_low_2 MHPS_non_zero_1* MHPS_non_zero_2*
MHPS_ratio_1 MHPS_ratio_2 MaxSlope_1 MaxSlope_2 Mean_1 Mean_2 Meanvariance_1 Meanvariance_2 MedianAbsDev_1
MedianAbsDev_2 MedianBRP_1 MedianBRP_2 Multiband_period PairSlopeTrend_1 PairSlopeTrend_2 PercentAmplitude_1
PercentAmplitude_2 Period_band_1 Period_band_2 delta_period_1 delta_period_2 Period_fit Power_rate_1/2
Power_rate_1/3 Power_rate_1/4 Power_rate_2 Power_rate_3 Power_rate_4 Psi_CS_1 Psi_CS_2 Psi_eta_1 Psi_eta_2
Pvar_1 Pvar_2 Q31_1 Q31_2 Rcs_1 Rcs_2 SF_ML_amplitude_1 SF_ML_amplitude_2 SF_ML_gamma_1 SF_ML_gamma_2 SPM_A_1
SPM_A_2 SPM_beta_1 SPM_beta_2 SPM_chi_1 SPM_chi_2 SPM_gamma_1 SPM_gamma_2 SPM_t0_1 SPM_t0_2 SPM_tau_fall_1
SPM_tau_fall_2 SPM_tau_rise_1 SPM_tau_rise_2 Skew_1 Skew_2 SmallKurtosis_1 SmallKurtosis_2 Std_1 Std_2
StetsonK_1 StetsonK_2 W1-W2* W2-W3* delta_mag_fid_1 delta_mag_fid_2 delta_mjd_fid_1 delta_mjd_fid_2
dmag_first_det_fid_1* dmag_first_det_fid_2* dmag_non_det_fid_1* dmag_non_det_fid_2* first_mag_1 first_mag_2
g-W2* g-W3* g-r_max g-r_max_corr g-r_mean g-r_mean_corr gal_b gal_l iqr_1 iqr_2 last_diffmaglim_before_fid_1*
last_diffmaglim_before_fid_2* last_mjd_before_fid_1* last_mjd_before_fid_2* max_diffmaglim_after_fid_1*
max_diffmaglim_after_fid_2* max_diffmaglim_before_fid_1* max_diffmaglim_before_fid_2* mean_mag_1 mean_mag_2
median_diffmaglim_after_fid_1* median_diffmaglim_after_fid_2* median_diffmaglim_before_fid_1*
median_diffmaglim_before_fid_2* min_mag_1 min_mag_2 n_det_1* n_det_2* n_neg_1* n_neg_2* n_non_det_after_fid_1*
n_non_det_after_fid_2* n_non_det_before_fid_1* n_non_det_before_fid_2* n_pos_1* n_pos_2* positive_fraction_1*
positive_fraction_2* r-W2* r-W3* rb sgscore1
`

/** The 178 features of an output message, whatever the model uses: each a union of a number and null. */
export const outputFeatures: readonly { readonly name: string; readonly isDouble: boolean }[] = featureFields
  .trim()
  .split(/\s+/)
  .map((word) => ({ name: word.replace('*', ''), isDouble: word.endsWith('*') }))

const doubles = Uint8Array.from(outputFeatures, ({ isDouble }) => (isDouble ? 1 : 0))

/**
 * `original`: the survey's of 2021, letter by letter. `legal`: the same in names and types that the Avro specification
 * allows. `alerce-2025`: the survey's since then, letter by letter: no candid, and the model's features as a map.
 */
export const outputSchemas = ['original', 'legal', 'alerce-2025'] as const
export type OutputSchema = (typeof outputSchemas)[number]

/**
 * A feature's name as Avro allows it: whatever is not a letter, digit or `_` becomes `_`, as later versions of the pipeline
 * do it (`Power_rate_1/2` → `Power_rate_1_2`, `W1-W2` → `W1_W2`).
 */
export function legalName(name: string): string {
  return name.replace(/[^A-Za-z0-9_]/g, '_')
}

const floats = '{"type": "map", "values": "float"}'
const mapsOfFloats = `{"type": "map", "values": ${floats}}`

/** The schema's JSON for a message's header, as Python's `json.dumps` writes it: readers compare the original's text. */
export function outputSchemaText(schema: OutputSchema): string {
  const oid = '{"name": "oid", "type": "string"}'
  const document = '"doc": "Late Classification", "name": "probabilities_and_features"'
  const classification = `{"name": "lc_classification", "type": ${classificationSchema(schema)}}`
  if (schema === 'alerce-2025') {
    const features =
      '{"name": "features", "type": [{"type": "map", "values": ["boolean", "float", "null", "int"]}, "null"]}'
    return `{${document}, "type": "record", "fields": [${oid}, ${features}, ${classification}]}`
  }
  const fields = outputFeatures.map(({ name, isDouble }) => {
    const written = JSON.stringify(schema === 'original' ? name : legalName(name))
    return `{"name": ${written}, "type": ["${isDouble ? 'double' : 'float'}", "null"]}`
  })
  const features = `{"type": "record", "name": "features_record", "fields": [${fields.join(', ')}]}`
  return `{"type": "record", ${document}, "fields": [${oid}, {"name": "candid", "type": "long"}, {"name": "features", "type": ${features}}, ${classification}]}`
}

function classificationSchema(schema: OutputSchema): string {
  const probabilities = schema === 'legal' ? floats : '{"type": "map", "values": ["float"]}'
  const hierarchical =
    schema === 'legal'
      ? `{"type": "record", "name": "hierarchy", "fields": [{"name": "top", "type": ${floats}}, {"name": "children", "type": ${mapsOfFloats}}]}`
      : `{${schema === 'alerce-2025' ? '"name": "root", ' : ''}"type": "map", "values": [${floats}, ${mapsOfFloats}]}`
  return `{"type": "record", "name": "late_record", "fields": [{"name": "probabilities", "type": ${probabilities}}, {"name": "class", "type": "string"}, {"name": "hierarchical", "type": ${hierarchical}}]}`
}
