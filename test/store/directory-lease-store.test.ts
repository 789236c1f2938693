// The directory does what every store of leases does; its files are tested beside it.
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryLeaseStore } from '../../store/directory/directory-lease-store.ts';
import { leaseStoreSuite } from './lease-store-suite.ts';

leaseStoreSuite('directory', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'netloom-suite-'));
  const subnets = join(directory, 'subnets');
  await mkdir(subnets);
  const textOf = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value));
  // Written beside and renamed, as an operator's tool would.
  const write = async (path: string, value: object | string) => {
    await writeFile(join(directory, '.new'), textOf(value));
    await rename(join(directory, '.new'), path);
  };
  return {
    open: () => new DirectoryLeaseStore({ directory }),
    async configure(config) {
      if (config === undefined) await rm(join(directory, 'config'));
      else await write(join(directory, 'config'), config);
    },
    put: (key, value) => write(join(subnets, `${key}.json`), value),
    remove: (key) => rm(join(subnets, `${key}.json`)),
    async values() {
      const names = (await readdir(subnets)).sort();
      return new Map(
        await Promise.all(
          names.map(
            async (name) =>
              [name.replace(/\.json$/, ''), await readFile(join(subnets, name), 'utf8')] as const,
          ),
        ),
      );
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
});
