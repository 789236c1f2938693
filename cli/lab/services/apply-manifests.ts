// Puts manifests into a lab's service directory, each service completed as an API server would and in a file of its own.
import { z } from 'zod';
import { parseManifests } from '../../../store/kubernetes/parse-manifests.ts';
import type { LabState } from '../lab-state.ts';
import { completeService } from './complete-service.ts';
import { manifestsOf, readServices, serviceFile, writeManifest } from './service-files.ts';
import { manifestKey, type ServiceManifest, serviceManifest } from './service-manifest.ts';

const namedObject = z.looseObject({
  metadata: z.looseObject({ name: z.string(), namespace: z.string().default('default') }),
});

/** Throws SyntaxError that tells all that is wrong; nothing is written then. Returns the services as they were written. */
export function applyManifests(
  state: LabState,
  { text, file }: { readonly text: string; readonly file: string },
): readonly ServiceManifest[] {
  const objects = manifestsOf(text);
  if (objects.length === 0) refuseProblems(text, file);
  const others = objects.filter((object) => kindOf(object) !== 'Service');
  const unknown = others.map(kindOf).filter((kind) => !/^(EndpointSlice|Endpoints)$/.test(kind));
  if (unknown.length > 0)
    throw new SyntaxError(
      `${file}: a lab has no ${[...new Set(unknown)].join(', ')}: want Service, EndpointSlice or Endpoints`,
    );
  const applied: ServiceManifest[] = [];
  for (const object of objects) {
    const service = serviceManifest.safeParse(object);
    // What has not even the shape of a service is refused below, in the proxy's words.
    if (!service.success) continue;
    const known = [...applied, ...readServices(state.name)];
    applied.push(completeService(service.data, { others: known, networks: state.networks }));
  }
  const shapeless = objects.filter(
    (object) => kindOf(object) === 'Service' && !serviceManifest.safeParse(object).success,
  );
  refuseProblems(
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [...applied, ...others, ...shapeless] }),
    file,
  );
  if (shapeless.length > 0) throw new SyntaxError(`${file}: Cannot read ${shapeless.length} of its services`);
  for (const service of applied) writeManifest(serviceFile(state.name, manifestKey(service)), [service]);
  for (const object of others)
    writeManifest(serviceFile(state.name, `${kindOf(object)}/${nameOf(object)}`), [object]);
  return applied;
}

/** Throws SyntaxError with all that a proxy would find wrong. */
function refuseProblems(text: string, file: string): void {
  const { problems } = parseManifests(text, { file });
  if (problems.length > 0)
    throw new SyntaxError(problems.map(({ object, message }) => `${object}: ${message}`).join('\n'));
}

function kindOf(object: unknown): string {
  return typeof object === 'object' && object !== null && 'kind' in object ? String(object.kind) : 'object';
}

/** parseManifests has seen that there is one, and that it is fit for a file's name. */
function nameOf(object: unknown): string {
  const { metadata } = namedObject.parse(object);
  return `${metadata.namespace}.${metadata.name}`;
}
