// Where the plugin's executable is in this checkout, under the name that the conflist's "type" has. Who builds it:
// scripts/build-launcher.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** That of the launcher; that of the script in its place where no C compiler was. */
export function pluginDirectory(): string {
  const build = fileURLToPath(new URL('../../build', import.meta.url));
  return existsSync(`${build}/netloom-cni`)
    ? build
    : fileURLToPath(new URL('../../scripts', import.meta.url));
}
