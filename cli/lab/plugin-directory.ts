// Where the plugin's executable is in this checkout, under the name that the conflist's "type" has. Who builds it:
// scripts/build-launcher.
import { existsSync } from 'node:fs';
import { packageRoot } from '../../runtime/package-files.ts';

/** That of the launcher; that of the script in its place where no C compiler was. */
export function pluginDirectory(): string {
  const build = `${packageRoot}/build`;
  return existsSync(`${build}/netloom-cni`) ? build : `${packageRoot}/scripts`;
}
