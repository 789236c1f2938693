// `netloom proxy --check DIR`: what is wrong with the manifests of a directory, as the proxy of this node would see them. Starts nothing.
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { createServiceTracker } from '../proxy/service-tracker.ts';
import {
  checkServiceDirectory,
  type ServiceDirectoryCheck,
} from '../store/directory/check-service-directory.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { CommandContext } from './context.ts';

export interface ServiceFindings {
  readonly files: number;
  readonly services: number;
  readonly slices: number;
  /** Objects of kinds that a proxy has no use for. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly problems: readonly StoreProblem[];
}

/** Prints what it finds; exit code 1 when something is wrong. */
export async function checkServices(
  directory: string,
  {
    options,
    json,
    context,
  }: { readonly options: ProxyOptions; readonly json: boolean; readonly context: CommandContext },
): Promise<void> {
  const found = findingsOf(await checkServiceDirectory(directory), options);
  if (json) context.terminal.print(JSON.stringify(found));
  else for (const line of findingLines(found)) context.terminal.print(line);
  if (found.problems.length > 0) context.fail();
}

/** With what is only wrong between objects: claims, endpoints that are refused. */
export function findingsOf(
  { files, services, slices, skipped, problems }: ServiceDirectoryCheck,
  options: Pick<ProxyOptions, 'families' | 'nodeName' | 'zone' | 'proxyName' | 'allowUnsafeEndpoints'>,
): ServiceFindings {
  const between = options.families.flatMap((family) => {
    const tracker = createServiceTracker({ ...options, family });
    tracker.apply({ services, slices });
    return tracker.problems;
  });
  // What does not depend on the family is said by both.
  const known = new Map([...problems, ...between].map((one) => [`${one.object} ${one.message}`, one]));
  return {
    files,
    services: services.size,
    slices: slices.size,
    skipped: Object.fromEntries(skipped),
    problems: [...known.values()],
  };
}

export function findingLines({
  files,
  services,
  slices,
  skipped,
  problems,
}: ServiceFindings): readonly string[] {
  const others = Object.entries(skipped).map(([kind, count]) => `${count} ${kind}`);
  const passed = others.length === 0 ? '' : `; passed over: ${others.join(', ')}`;
  return [
    ...problems.map(({ object, message }) => `${object}: ${message}`),
    `${files} files: ${services} services, ${slices} endpoint slices${passed}; ${problems.length === 0 ? 'nothing' : problems.length} wrong`,
  ];
}
