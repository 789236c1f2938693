// `netloom lab service apply`, `add`, `rm` and `list`.
import { readFileSync } from 'node:fs';
import { text as readAll } from 'node:stream/consumers';
import { z } from 'zod';
import { errorMessage } from '../../../runtime/error-text.ts';
import type { CommandContext } from '../../context.ts';
import { withLabLock } from '../../lab/lab-record.ts';
import { type LabState, requireLab } from '../../lab/lab-state.ts';
import { syncEndpoints } from '../../lab/responder-client.ts';
import { applyManifests } from '../../lab/services/apply-manifests.ts';
import { plainService } from '../../lab/services/plain-service.ts';
import { readServices, removeManifest, serviceFile, slicesFile } from '../../lab/services/service-files.ts';
import {
  ipFamilies,
  ipFamilyPolicies,
  manifestKey,
  type ServiceManifest,
} from '../../lab/services/service-manifest.ts';
import { serviceRows } from '../../lab/services/service-text.ts';
import { UsageError } from '../../usage-error.ts';
import { asUsage, type Given, usualOptions } from '../lab-action.ts';

const addOptions = usualOptions.extend({
  namespace: z.string(),
  port: z.array(z.string()),
  selector: z.record(z.string(), z.string()).optional(),
  type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
  protocol: z.enum(['tcp', 'udp']),
  affinity: z.number().optional(),
  externalPolicy: z.enum(['Cluster', 'Local']),
  internalPolicy: z.enum(['Cluster', 'Local']),
  sourceRange: z.array(z.string()).default([]),
  ipFamilyPolicy: z.enum(ipFamilyPolicies).optional(),
  ipFamily: z.array(z.enum(ipFamilies)).default([]),
});

const namespaced = usualOptions.extend({ namespace: z.string() });

export async function serviceApply(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const [file = '-'] = given.args;
  let manifests: string;
  try {
    manifests = file === '-' ? await readAll(process.stdin) : readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read "${file}": ${errorMessage(error)}`, { cause: error });
  }
  await change(context, options, (state) => applyManifests(state, { text: manifests, file }));
}

export async function serviceAdd(context: CommandContext, given: Given): Promise<void> {
  const options = addOptions.parse(given.options);
  const [name = ''] = given.args;
  const service = asUsage(() => plainService({ ...options, name }));
  await change(context, options, (state) =>
    applyManifests(state, { text: JSON.stringify(service), file: `service ${name}` }),
  );
}

async function change(
  { signal, terminal }: CommandContext,
  { name, json }: { readonly name: string; readonly json: boolean },
  apply: (state: LabState) => readonly ServiceManifest[],
): Promise<void> {
  const services = await withLabLock(name, {
    signal,
    action: async () => {
      const changed = asUsage(() => apply(requireLab(name)));
      await syncEndpoints(name);
      return changed;
    },
  });
  if (json) terminal.print(JSON.stringify({ services }));
  else for (const line of serviceRows(services)) terminal.print(line);
}

export async function serviceRemove(context: CommandContext, given: Given): Promise<void> {
  const options = namespaced.parse(given.options);
  const key = `${options.namespace}/${given.args[0] ?? ''}`;
  await withLabLock(options.name, {
    signal: context.signal,
    action: async () => {
      const { name } = requireLab(options.name);
      if (!readServices(name).some((service) => manifestKey(service) === key))
        throw new Error(`There is no service "${key}" in lab "${name}"`);
      removeManifest(serviceFile(name, key));
      removeManifest(slicesFile(name, key));
      if (readServices(name).some((service) => manifestKey(service) === key))
        throw new Error(`Cannot remove service "${key}": it is in a file that this command did not write`);
      await syncEndpoints(name);
    },
  });
  if (options.json) context.terminal.print(JSON.stringify({ removed: key }));
}

export async function serviceList(context: CommandContext, given: Given): Promise<void> {
  const options = usualOptions.parse(given.options);
  const services = readServices(requireLab(options.name).name);
  if (options.json) context.terminal.print(JSON.stringify({ services }));
  else if (services.length === 0) context.terminal.print(`There are no services in lab "${options.name}"`);
  else for (const line of serviceRows(services)) context.terminal.print(line);
}
