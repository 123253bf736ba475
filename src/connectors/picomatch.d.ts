// picomatch brings no types; only what is used of it.
declare module 'picomatch' {
  /** Makes a test of paths of a pattern. */
  export default function picomatch(pattern: string, options?: { readonly dot?: boolean }): (path: string) => boolean
}
