// A directory of manifests for the proxy's benchmarks, one file a service, as a proxy follows it. Removed when it is disposed of.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Amount, type ManifestFormat, manifest, type SliceState } from './proxy-services.ts';

export interface ProxyDirectory extends Disposable {
  /** Of the manifests. */
  readonly services: string;
  /** Of the proxy's socket. */
  readonly run: string;
  readonly log: string;
  /** Replaces a service's file as tools do it: written beside it, and renamed. The rename is what is timed from. */
  replace(number: number, state: SliceState): { readonly commit: () => void };
}

export function openProxyDirectory(amount: Amount, format: ManifestFormat): ProxyDirectory {
  const path = mkdtempSync(join(tmpdir(), 'netloom-bench-'));
  const services = join(path, 'services');
  const run = join(path, 'run');
  const fileOf = (number: number) => join(services, `service-${number}.${format}`);
  mkdirSync(services);
  mkdirSync(run);
  for (let number = 0; number < amount.services; number++)
    writeFileSync(fileOf(number), manifest(number, { amount, format }));
  return {
    services,
    run,
    log: join(path, 'log'),
    replace(number, state) {
      const written = join(path, 'next');
      writeFileSync(written, manifest(number, { ...state, format }));
      return { commit: () => renameSync(written, fileOf(number)) };
    },
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
