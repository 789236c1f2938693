// Keeps the EndpointSlices of a lab's services as its pods are: looks whenever the service directory changes, and whenever a command
// that changed pods says so. It lives in the responder, which knows which pods answer.
import { readFileSync } from 'node:fs';
import { watch } from 'chokidar';
import { namesIn } from '../../../runtime/names-in.ts';
import { serviceDirectory } from '../lab-plan.ts';
import { readLabState } from '../lab-state.ts';
import { manifestText, readServices, removeManifest, slicesFile, writeManifest } from './service-files.ts';
import { manifestKey } from './service-manifest.ts';
import { slicesOfService } from './slices-of-service.ts';

/** Milliseconds from a change of the directory to the look at it: one write makes several events. */
const gatherTime = 20;

export interface EndpointController {
  /** Looks now. When it returns the slices are written. */
  sync(): void;
  close(): Promise<void>;
}

export function createEndpointController(lab: string, answers: (pod: string) => boolean): EndpointController {
  const directory = serviceDirectory(lab);
  let timer: NodeJS.Timeout | undefined;
  const sync = (): void => {
    const { pods = [], networks = [] } = readLabState(lab) ?? {};
    const families = networks.map(({ family }) => family);
    const wanted = new Map(
      readServices(lab).flatMap((service) => {
        const slices = slicesOfService(service, { pods, families, answers });
        return slices === undefined ? [] : [[slicesFile(lab, manifestKey(service)), slices] as const];
      }),
    );
    for (const [path, slices] of wanted) if (!holds(path, slices)) writeManifest(path, slices);
    const own = `${directory}/endpoints`;
    for (const name of namesIn(own)) {
      const path = `${own}/${name}`;
      if (!wanted.has(path) && name.endsWith('.json')) removeManifest(path);
    }
  };
  // Its own files are below `endpoints`.
  const watcher = watch(directory, { ignoreInitial: true, depth: 0, atomic: false });
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(sync, gatherTime);
  });
  return {
    sync,
    async close() {
      clearTimeout(timer);
      await watcher.close();
    },
  };
}

function holds(path: string, objects: readonly unknown[]): boolean {
  try {
    return readFileSync(path, 'utf8') === manifestText(objects);
  } catch {
    return false;
  }
}
