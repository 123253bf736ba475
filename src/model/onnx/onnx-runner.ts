// What the classifier's onnxruntime does for this folder, which may not import it.

/** A value that goes into a graph or comes out of it. */
export interface GraphValue {
  readonly name: string
  /** `float32`, `float64`, … or what it is instead of a tensor */
  readonly type: string
  /** a number, or a name (perhaps empty) where any number may stand; null where nothing is known */
  readonly shape: readonly (number | string)[] | null
}

/** A graph that is loaded and can answer. */
export interface OnnxRunner {
  readonly inputs: readonly GraphValue[]
  readonly outputs: readonly GraphValue[]
  /** of onnxruntime */
  readonly runtimeVersion: string
  /**
   * Runs on the rows, outside the calling thread; takes over `matrix`.
   *
   * @param matrix rowCount × features, row-major, preprocessed
   * @returns every output in its order, row-major
   * @throws ModelError where the graph fails on the rows
   */
  run(matrix: Float32Array<ArrayBuffer>, rowCount: number): Promise<Float64Array<ArrayBuffer>[]>
  /** Frees the graph, after what is under way. Harmless twice. */
  close(): Promise<void>
}

/** How to load a graph. */
export interface OnnxRunnerOptions {
  /** for its operators; 0 for one for each core */
  readonly threads: number
  /** what messages call it */
  readonly label: string
}

/**
 * Loads a graph.
 *
 * @param graph the path of an ONNX file, or its bytes
 * @throws ModelError for a graph that onnxruntime cannot load, or whose inputs and outputs are not a classifier's
 */
export type OpenOnnxRunner = (graph: string | Uint8Array, options: OnnxRunnerOptions) => Promise<OnnxRunner>
