// One look at a directory of Kubernetes manifests, without following it: for `netloom proxy --check` and the like.
import { join, resolve } from 'node:path';
import type { EndpointSlice } from '../endpoint-slice.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { Service } from '../service.ts';
import { ServiceIndex } from '../service-index.ts';
import { ServiceFiles } from './service-files.ts';

export interface ServiceDirectoryCheck {
  readonly files: number;
  /** By serviceKey. */
  readonly services: ReadonlyMap<string, Service>;
  /** By sliceKey. */
  readonly slices: ReadonlyMap<string, EndpointSlice>;
  /** All that is wrong; `object` names file, document, kind and object, the message field and value. */
  readonly problems: readonly StoreProblem[];
  /** How many objects of other kinds there are, by kind. */
  readonly skipped: ReadonlyMap<string, number>;
}

/** Never rejects: a directory that cannot be read is a problem too. */
export async function checkServiceDirectory(directory: string): Promise<ServiceDirectoryCheck> {
  const root = resolve(directory);
  const index = new ServiceIndex({ nameOf: (file) => join(root, file) });
  const files = new ServiceFiles({ directory: root, index, isPatient: false });
  await files.look({ trees: new Set(['']), folders: new Set(), paths: new Set() });
  return {
    files: index.fileCount,
    ...index.takeAll(),
    problems: [...files.problems, ...index.problems],
    skipped: index.skipped,
  };
}
