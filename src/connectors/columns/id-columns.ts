// What surveys, brokers and pandas call the columns of ids: for the hint where the one that is needed is missing.

/** In lower case, without separators, the likeliest first. */
const spellings = {
  /** ALeRCE (oid, aid), ZTF, Fink and Lasair (objectId), Rubin (diaObjectId), PLAsTiCC and ELAsTiCC (object_id, SNID), Gaia, an index of pandas */
  oid: [
    'oid',
    'objectid',
    'diaobjectid',
    'ztfid',
    'ztfobjectid',
    'ztfoid',
    'aid',
    'snid',
    'sourceid',
    'id',
    'indexlevel0',
  ],
  /** ALeRCE (candid, measurement_id), Rubin (diaSourceId), ELAsTiCC (alertId) */
  candid: ['candid', 'candidateid', 'measurementid', 'diasourceid', 'alertid'],
}

/** Which of some columns is known to hold such ids somewhere. */
export function knownIdColumn(kind: keyof typeof spellings, columns: readonly string[]): string | undefined {
  const plain = columns.map((column) => column.toLowerCase().replace(/[^a-z\d]/g, ''))
  const place = spellings[kind].map((spelling) => plain.indexOf(spelling)).find((index) => index !== -1)
  return place === undefined ? undefined : columns[place]
}
