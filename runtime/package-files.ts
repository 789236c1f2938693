// Where the files of this package are, whether its sources run or what scripts/build-program built of them.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(import.meta.url);

function nearestPackage(file: string): string {
  for (let directory = dirname(file); directory !== dirname(directory); directory = dirname(directory)) {
    if (existsSync(`${directory}/package.json`)) return directory;
  }
  throw new Error(`Cannot find the package that ${file} belongs to: there is no package.json above it`);
}

/** The directory of package.json, without a slash at its end. */
export const packageRoot: string = nearestPackage(here);

const built = `${packageRoot}/build/program`;

/**
 * The file that Node runs for a program of ours, named by its entry: "cli/main". A program starts the others as it was started
 * itself: sources start sources.
 */
export function programFile(entry: string): string {
  return here.startsWith(`${built}/`) ? `${built}/${entry}.cjs` : `${packageRoot}/${entry}.ts`;
}
