// The proxy's state as JSON: what GET /status on its socket answers and `netloom status` prints. Pure; the field names are fixed,
// scripts read them.
import type { IpAddress } from '../net/address.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { SourceStatus } from '../store/source-status.ts';
import { familyName } from './family-name.ts';
import type { HealthCheckStatus } from './health-check-servers.ts';
import type { FamilyState } from './proxy-loop.ts';
import type { ProxyModeName } from './proxy-mode.ts';

/** Lists are cut here; the totals beside them are not. */
const longestList = 100;

export interface FamilyStatus {
  readonly family: 'IPv4' | 'IPv6';
  /** The services are programmed, and were when last looked at. */
  readonly synced: boolean;
  readonly services: number;
  readonly ports: number;
  readonly endpoints: number;
  readonly syncs: number;
  readonly lastSync: {
    /** ISO 8601. */
    readonly at: string;
    readonly milliseconds: number;
    /** Everything was compared with the kernel. */
    readonly full: boolean;
    readonly changes: number;
  } | null;
  /** Why nothing can be programmed at present. */
  readonly error: string | null;
  readonly failedPorts: {
    readonly total: number;
    readonly list: readonly { readonly port: string; readonly message: string }[];
  };
  /** How often rules were put back after somebody else changed them, since the start. */
  readonly repaired: number;
  readonly nodeAddresses: readonly IpAddress[];
  readonly nodePortAddresses: 'all' | readonly IpAddress[];
}

export interface ProxyStatus {
  readonly node: string;
  readonly mode: ProxyModeName;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly blockers: readonly string[];
  readonly families: readonly FamilyStatus[];
  readonly healthChecks: readonly HealthCheckStatus[];
  /** Where services come from, once that was looked at. */
  readonly source?: SourceStatus;
  readonly problems: { readonly total: number; readonly list: readonly StoreProblem[] };
}

export interface ProxyState {
  readonly node: string;
  readonly mode: ProxyModeName;
  readonly families: readonly (FamilyState & {
    readonly counts: { readonly services: number; readonly endpoints: number };
  })[];
  readonly healthChecks: readonly HealthCheckStatus[];
  readonly problems: readonly StoreProblem[];
  readonly source?: SourceStatus | undefined;
}

/** What keeps the proxy from being ready; ports and services that are wrong by themselves do not. */
export function blockersOf(families: readonly FamilyState[]): readonly string[] {
  return families.flatMap(({ family, synced, error }) => {
    if (error !== undefined) return [`${familyName(family)}: ${error}`];
    return synced ? [] : [`${familyName(family)}: the services are not programmed yet`];
  });
}

export function proxyStatus(state: ProxyState): ProxyStatus {
  const { node, mode, families, healthChecks, problems, source } = state;
  const blockers = blockersOf(families);
  return {
    node,
    mode,
    ready: blockers.length === 0,
    blockers,
    families: families.map(familyStatus),
    healthChecks,
    ...(source === undefined ? {} : { source }),
    problems: { total: problems.length, list: problems.slice(0, longestList) },
  };
}

function familyStatus(state: ProxyState['families'][number]): FamilyStatus {
  const { lastSync, failed, counts, context } = state;
  const list = [...failed].slice(0, longestList).map(([port, { message }]) => ({ port, message }));
  return {
    family: familyName(state.family),
    synced: state.synced && state.error === undefined,
    services: counts.services,
    ports: state.ports.size,
    endpoints: counts.endpoints,
    syncs: state.syncs,
    lastSync:
      lastSync === undefined
        ? null
        : {
            at: new Date(lastSync.at).toISOString(),
            milliseconds: Math.round(lastSync.milliseconds * 1000) / 1000,
            full: lastSync.full,
            changes: lastSync.changes,
          },
    error: state.error ?? null,
    failedPorts: { total: failed.size, list },
    repaired: state.mended,
    nodeAddresses: context.nodeIps,
    nodePortAddresses: context.nodePortIps,
  };
}
