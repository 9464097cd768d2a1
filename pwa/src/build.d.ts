/** What the build tells the service worker: the version of this build and every path it may keep for offline use. */
declare const __BUILD__: { readonly version: string; readonly files: readonly string[] };

/** A picture that is carried in the code that names it, as a `data:` address. */
declare module '*.png?inline' {
  const address: string;
  export default address;
}
