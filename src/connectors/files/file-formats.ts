// The file formats and layouts, and what an address of a file stands for.

/** The file formats rows are read from; `tsv` is csv with tabs. */
export type InputFormat = 'parquet' | 'csv' | 'tsv' | 'ndjson' | 'arrow' | 'avro'

/** Rows in files and pipes. gzip is recognised by the first bytes, for csv, tsv and ndjson. */
export type FileSourceSpec =
  | { readonly kind: 'file'; readonly address: string; readonly path: string; readonly format: InputFormat }
  | { readonly kind: 'stdin'; readonly address: '-'; readonly format: 'csv' | 'tsv' | 'ndjson' | 'arrow' }

/** The file formats results are written in; `tsv` is csv with tabs. */
export type OutputFormat = 'parquet' | 'csv' | 'tsv' | 'ndjson' | 'arrow'

/** The three forms of a result in a file (design: cli.md, "Layouts"). */
export type Layout = 'wide' | 'long' | 'nested'
