/** A digest of the sources, put in by `build.mjs`. */
declare const __BUILD__: string;
