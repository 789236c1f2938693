// The agent's state as JSON: what `netloom status --json` and GET /status print. Pure; the field names are fixed, scripts read them.
import type { Prefix } from '../net/prefix.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { backendName, type Lease } from '../store/lease.ts';
import type { NodeReport, StoreProblem } from '../store/lease-store.ts';
import type { PeerPath } from './backend/backend.ts';
import type { TunnelState } from './carrier/carrier.ts';
import type { PassResult } from './node-pass.ts';
import { peerName } from './peer-name.ts';

export interface PeerStatus {
  readonly node: string;
  readonly subnet?: Prefix;
  readonly subnet6?: Prefix;
  readonly publicIp: string | null;
  readonly publicIp6: string | null;
  /** "rejected": its lease is not believed. */
  readonly path: PeerPath | 'rejected';
  readonly programmed: boolean;
  /** Why it is not programmed. */
  readonly reason: string | null;
  /** A device a family may have one each; absent where the backend has no such thing. */
  readonly tunnels?: readonly TunnelState[];
}

export interface AgentStatus {
  readonly node: string;
  readonly ready: boolean;
  /** Why it is not ready. */
  readonly blockers: readonly string[];
  readonly lease: {
    readonly subnet?: Prefix;
    readonly subnet6?: Prefix;
    readonly backend: string;
    readonly publicIp: string | null;
    readonly publicIp6: string | null;
    readonly vtepMac: string | null;
    readonly vtepMac6: string | null;
    /** ISO 8601. */
    readonly renewedAt: string | null;
    readonly expiresAt: string | null;
  } | null;
  readonly underlay: {
    readonly interface: string;
    readonly mtu: number;
    readonly address: string | null;
    readonly address6: string | null;
  } | null;
  readonly network: {
    readonly ip4: Prefix | null;
    readonly ip6: Prefix | null;
    readonly backend: string;
  } | null;
  /** The pods'. */
  readonly mtu: number | null;
  readonly peers: readonly PeerStatus[];
  /** How many objects are wanted, by kind. */
  readonly objects: Readonly<Record<string, number>>;
  /** Since the start, by kind of step. */
  readonly steps: Readonly<Record<string, number>>;
  /** Since the start: what was put back after somebody changed it, by kind of object. */
  readonly repaired: Readonly<Record<string, number>>;
  readonly problems: readonly { readonly object: string; readonly message: string }[];
  readonly lastPass: {
    /** ISO 8601. */
    readonly at: string;
    readonly milliseconds: number;
    readonly steps: number;
    readonly reasons: readonly string[];
  } | null;
  readonly passes: number;
}

/** What the agent remembers of its passes. */
export interface AgentState {
  readonly node: string;
  readonly pass: PassResult | undefined;
  readonly storeProblems: readonly StoreProblem[];
  readonly renewedAt: number | undefined;
  readonly passes: number;
  readonly lastPass:
    | {
        readonly startedAt: number;
        readonly milliseconds: number;
        readonly reasons: readonly string[];
      }
    | undefined;
  readonly steps: ReadonlyMap<string, number>;
  readonly repaired: ReadonlyMap<string, number>;
}

export function isReady({ pass }: AgentState): boolean {
  return pass !== undefined && pass.blockers.length === 0;
}

export function agentStatus(
  state: AgentState,
  tunnels: ReadonlyMap<string, TunnelState> = new Map(),
): AgentStatus {
  const { pass, lastPass } = state;
  const { lease, underlay, config, desired } = pass ?? {};
  return {
    node: state.node,
    ready: isReady(state),
    blockers: pass?.blockers ?? ['the first pass is not done'],
    lease: lease === undefined ? null : leaseStatus(lease, state.renewedAt),
    underlay:
      underlay === undefined
        ? null
        : {
            interface: underlay.link,
            mtu: underlay.mtu,
            address: text(underlay.ip4?.address),
            address6: text(underlay.ip6?.address),
          },
    network:
      config === undefined
        ? null
        : {
            ip4: config.ip4?.network ?? null,
            ip6: config.ip6?.network ?? null,
            backend: config.backend.kind === 'opaque' ? config.backend.type : config.backend.kind,
          },
    mtu: desired?.mtu ?? null,
    peers: peerStatuses(pass, tunnels),
    objects: objectCounts(pass),
    steps: Object.fromEntries(state.steps),
    repaired: Object.fromEntries(state.repaired),
    problems: problems(state),
    lastPass:
      lastPass === undefined
        ? null
        : {
            at: new Date(lastPass.startedAt).toISOString(),
            milliseconds: Math.round(lastPass.milliseconds * 10) / 10,
            steps: [...(pass?.steps.values() ?? [])].reduce((sum, count) => sum + count, 0),
            reasons: lastPass.reasons,
          },
    passes: state.passes,
  };
}

/** How many objects of each kind the node should have. */
export function objectCounts(pass: PassResult | undefined): Readonly<Record<string, number>> {
  const { desired } = pass ?? {};
  if (desired === undefined) return {};
  const { links, ports, addresses, neighbours, fdb, routes, rules } = desired.route;
  const { peers: carried } = desired.carrier;
  return {
    link: links.size,
    port: ports.size,
    address: addresses.size,
    neighbour: neighbours.size,
    fdb: fdb.size,
    route: routes.size,
    rule: rules.size,
    ...(carried.size === 0 ? {} : { carried: carried.size }),
    sysctl: desired.sysctls.size,
    file: desired.files.size,
  };
}

function peerStatuses(
  pass: PassResult | undefined,
  tunnels: ReadonlyMap<string, TunnelState>,
): readonly PeerStatus[] {
  const planned = (pass?.desired?.peers ?? []).map((peer): PeerStatus => {
    const reason = pass?.unprogrammed.get(peer);
    const found = (peer.keys.carried ?? []).flatMap((name) => tunnels.get(name) ?? []);
    return {
      ...identity(peer.lease),
      path: peer.path,
      programmed: reason === undefined,
      reason: reason ?? null,
      ...(found.length === 0 ? {} : { tunnels: found }),
    };
  });
  const rejected = (pass?.desired?.rejected ?? []).map(
    ({ lease, reason }): PeerStatus => ({ ...identity(lease), path: 'rejected', programmed: false, reason }),
  );
  return [...planned, ...rejected];
}

function identity(lease: Lease) {
  return {
    node: peerName(lease),
    ...subnetFields(lease),
    publicIp: text(lease.publicIp),
    publicIp6: text(lease.publicIp6),
  };
}

/** A family that the node does not have is left out. */
function subnetFields({ subnet, subnet6 }: Lease): { readonly subnet?: Prefix; readonly subnet6?: Prefix } {
  return { ...(subnet === undefined ? {} : { subnet }), ...(subnet6 === undefined ? {} : { subnet6 }) };
}

function leaseStatus(lease: Lease, renewedAt: number | undefined): AgentStatus['lease'] {
  const mac = (data: Lease['backendData']): string | null =>
    data?.kind === 'vxlan' ? data.vtepMac.toString() : null;
  return {
    ...subnetFields(lease),
    backend: backendName(lease),
    publicIp: text(lease.publicIp),
    publicIp6: text(lease.publicIp6),
    vtepMac: mac(lease.backendData),
    vtepMac6: mac(lease.backendDataV6),
    renewedAt: time(renewedAt),
    expiresAt: time(lease.expiresAt),
  };
}

function problems({ pass, storeProblems }: AgentState): AgentStatus['problems'] {
  const failed = [...(pass?.failed ?? [])].map(([object, error]) => ({
    object,
    message: errorMessage(error),
  }));
  const rejected = (pass?.desired?.rejected ?? []).map(({ lease, reason }) => ({
    object: `lease ${peerName(lease)}`,
    message: reason,
  }));
  return [...storeProblems, ...failed, ...rejected];
}

function text(value: { toString(): string } | undefined): string | null {
  return value === undefined ? null : value.toString();
}

function time(milliseconds: number | undefined): string | null {
  return milliseconds === undefined ? null : new Date(milliseconds).toISOString();
}

/** What a store shows to operators. */
export function nodeReport(state: AgentState): NodeReport {
  const { pass, storeProblems } = state;
  const refused = (pass?.desired?.rejected ?? []).map(({ lease, reason }) => ({
    object: lease.node === undefined ? peerName(lease) : `nodes/${lease.node}`,
    message: `peer left out: ${reason}`,
  }));
  return {
    ready: isReady(state),
    blockers: pass?.blockers ?? ['the first pass is not done'],
    problems: [...storeProblems, ...refused],
  };
}
