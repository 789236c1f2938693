// All that is wrong at present, from every part of a running proxy, in one list: for its status and its metrics.
import type { StoreProblem } from '../store/lease-store.ts';

export interface ProblemSources {
  /** Of the source and the trackers. Both families may say the same of a service: it stands there once. */
  readonly services: readonly StoreProblem[];
  /** By service: why its health check port is not open. */
  readonly healthChecks: ReadonlyMap<string, string>;
  readonly servers: readonly string[];
  readonly flows: readonly string[];
  readonly leftovers: string | undefined;
  readonly families: readonly StoreProblem[];
}

export function proxyProblems(sources: ProblemSources): readonly StoreProblem[] {
  const of = (object: string, messages: readonly string[]): readonly StoreProblem[] =>
    messages.map((message) => ({ object, message }));
  return withoutDoubles([
    ...sources.families,
    ...of('server', sources.servers),
    ...of('connection tracking', sources.flows),
    ...of('leftovers', sources.leftovers === undefined ? [] : [sources.leftovers]),
    ...[...sources.healthChecks].map(([key, message]) => ({ object: `Service "${key}"`, message })),
    ...sources.services,
  ]);
}

function withoutDoubles(problems: readonly StoreProblem[]): readonly StoreProblem[] {
  return [...new Map(problems.map((one) => [`${one.object}\n${one.message}`, one])).values()];
}
