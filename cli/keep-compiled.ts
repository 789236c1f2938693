// Writes what Node has compiled to its cache while a daemon runs: it would do so only at an orderly end, which a killed one
// never has. The cache is that of scripts/netloom; without NODE_COMPILE_CACHE nothing happens.
import { flushCompileCache } from 'node:module';

/** Milliseconds: by then all is loaded, and the start is over. */
const soon = 3000;

export function keepCompiled(): void {
  setTimeout(flushCompileCache, soon).unref();
}
