// One pass over the node: from what the store and the kernel say now to a kernel that is as it should be, and a report of it.
// When it runs, and what is remembered between passes, is agent.ts's. Past 300 lines: one pass from its first step to its last, with what
// each step reports.

import type { RouteState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { type Lease, subnetsOf } from '../store/lease.ts';
import type { LeaseSnapshot } from '../store/lease-store.ts';
import type { NetworkConfig } from '../store/network-config.ts';
import { isNetloomAlias } from './alias.ts';
import { applyRoutes, type NodeRoutes, unprogrammedPeers } from './apply-routes.ts';
import type { Advertisement, PeerPlan, WireguardPublicKey } from './backend/backend.ts';
import { advertise, whyNotBackend } from './backend/choose-backend.ts';
import type { Carrier, CarrierPlan } from './carrier/carrier.ts';
import type { ExtensionVoice } from './carrier/extension-voice.ts';
import { type DesiredState, desiredState, type NodeChoices } from './desired-state.ts';
import type { MacKeeper } from './device-macs.ts';
import { makeDevicesFirst } from './devices-first.ts';
import { countRepairs, type Settled } from './drift.ts';
import type { Firewall } from './firewall.ts';
import type { FlannelLeftovers, FlannelRules } from './flannel/flannel-rules.ts';
import type { LeaseHolder } from './lease-holder.ts';
import type { MadeRecord } from './made-record.ts';
import { ensureFiles } from './node-files.ts';
import { ensureSysctls, type Sysctls } from './node-sysctls.ts';
import type { PeerTable } from './peer-table.ts';
import type { Pod } from './pod-list.ts';
import { strayPodLinks } from './pod-ports.ts';
import type { PodRulesKeeper } from './pod-rules-keeper.ts';
import type { RetiredDevices } from './retired-devices.ts';
import { routeLookup } from './route-lookup.ts';
import { chooseUnderlay, type Underlay, type UnderlaySettings } from './underlay.ts';

export interface PassPorts {
  readonly route: NodeRoutes;
  readonly firewall: Firewall;
  readonly carrier: Carrier;
  readonly wireguardKey: WireguardPublicKey;
  readonly extension: ExtensionVoice;
  /** What flannel left beside ours; stays if absent. */
  readonly flannelRules?: FlannelRules | undefined;
  /** The rules of pods; nobody keeps them if absent. */
  readonly podRules?: PodRulesKeeper | undefined;
  readonly sysctls: Sysctls;
  readonly holder: LeaseHolder;
  readonly macs: MacKeeper;
  readonly made: Pick<MadeRecord, 'noteFile' | 'noteSysctl'>;
  /** The node's pods; nobody keeps them if absent. */
  readonly pods?: () => Promise<readonly Pod[]>;
  /** What was made of the peers in the last pass. */
  readonly peerTable: PeerTable;
  readonly retiredDevices: RetiredDevices;
}

export interface PassInput {
  readonly node: string;
  readonly choices: NodeChoices;
  readonly underlaySettings: UnderlaySettings;
  /** Undefined before the store's first word. */
  readonly snapshot: LeaseSnapshot | undefined;
  /** What the last pass left; undefined before the first. */
  readonly settled: SettledNode | undefined;
  /** Also look at what tells nobody when it changes. */
  readonly thorough: boolean;
  readonly signal: AbortSignal;
}

/** What is remembered of a pass to tell repairs from changes in the next. */
export interface SettledNode {
  readonly route: Settled;
  readonly desired: DesiredState;
  readonly failed: ReadonlySet<string>;
}

export interface PassResult {
  /** Why the node is not ready; none: it is. */
  readonly blockers: readonly string[];
  readonly config: NetworkConfig | undefined;
  readonly underlay: Underlay | undefined;
  readonly lease: Lease | undefined;
  /** The last one when the pass could not get as far; then nothing was touched (`applied` is false). */
  readonly desired: DesiredState | undefined;
  readonly applied: boolean;
  /** Peers that are not programmed, and why. */
  readonly unprogrammed: ReadonlyMap<PeerPlan, string>;
  /** By the name of the object: what to try again. */
  readonly failed: ReadonlyMap<string, unknown>;
  /** By kind of step ("route-set", "sysctl", "firewall", "file"). */
  readonly steps: ReadonlyMap<string, number>;
  /** Of these steps, those that put back what somebody changed; by kind of object. */
  readonly repairs: ReadonlyMap<string, number>;
  /** What became of the rules that flannel left; undefined when nobody looked. */
  readonly leftovers?: FlannelLeftovers | undefined;
  readonly settled: SettledNode | undefined;
}

export async function runPass(ports: PassPorts, input: PassInput): Promise<PassResult> {
  const { snapshot, signal } = input;
  if (snapshot === undefined) return blocked(input, { blockers: ['the store has not answered yet'] });
  const { config } = snapshot;
  if (config === undefined) {
    const why = snapshot.problems[0]?.message ?? 'there is no network configuration';
    return blocked(input, { blockers: [why] });
  }
  const failed = new Map<string, unknown>();
  const before = ports.route.read(input.thorough);
  const isStray = strayPodLinks(before).length > 0;
  const pods = isStray ? await listPods(ports, failed) : [];
  // Listing them waits for host-local's lock; meanwhile the kernel went on.
  const actual = isStray ? ports.route.read(input.thorough) : before;
  const found = findUnderlay(actual, input, config);
  const reason = found.kind === 'missing' ? found.reason : whyNotBackend(config, found.underlay);
  if (found.kind === 'missing' || reason !== undefined) {
    // The lease stays ours meanwhile, and the data path as it is.
    const { lease, error } = await ports.holder.keep(signal);
    if (error !== undefined) failed.set('lease', error);
    return blocked(input, { blockers: [reason ?? ''], config, lease, failed });
  }
  const { underlay } = found;
  const macs = ports.macs.choose({ actual, lease: leaseOf(input.node, snapshot) });
  let advertisement: Advertisement;
  try {
    const printed = await ports.extension.printed(config, underlay, signal);
    advertisement = advertise({ config, underlay, macs, wireguardKey: ports.wireguardKey, printed });
  } catch (error) {
    // The key of this node's WireGuard cannot be had, or the program of the extension does not say.
    signal.throwIfAborted();
    failed.set('advertisement', error);
    return blocked(input, { blockers: [errorMessage(error)], config, underlay, failed });
  }
  // macs() chooses when it is asked: the bridge's as well, before all are written.
  macs(input.choices.bridge);
  attempt(failed, 'state directory', () => ports.macs.save());
  const known = ports.holder.lease ?? leaseOf(input.node, snapshot);
  const early =
    known === undefined
      ? []
      : await makeDevicesFirst(ports, {
          config,
          own: { ...known, ...advertisement },
          underlay,
          routeTo: routeLookup(actual),
          actual,
          signal,
        });
  const renewedAt = ports.holder.renewedAt;
  const held = await ports.holder.hold(advertisement, signal);
  if (held.error !== undefined) failed.set('lease', held.error);
  if (held.lease === undefined) {
    return blocked(input, { blockers: [errorMessage(held.error)], config, underlay, failed });
  }
  const own = held.lease;
  // Talking to the store took time, in which the kernel went on.
  const isUnchanged = ports.holder.renewedAt === renewedAt && early.length === 0;
  const current = isUnchanged ? actual : ports.route.read(input.thorough);
  const desired = desiredState(
    {
      config,
      own,
      leases: snapshot.leases,
      underlay,
      routeTo: routeLookup(current),
      choices: input.choices,
      macs,
      actual: current,
      spare: (devices) => ports.retiredDevices.spare(devices),
      carriedBefore: input.settled?.desired.carrier,
    },
    ports.peerTable,
  );
  const hostLinks = linksOf(pods, own);
  return applyAll(ports, {
    ...input,
    desired,
    actual: current,
    failed,
    config,
    underlay,
    lease: own,
    early,
    hostLinks,
  });
}

async function listPods(ports: PassPorts, failed: Map<string, unknown>): Promise<readonly Pod[]> {
  try {
    return (await ports.pods?.()) ?? [];
  } catch (error) {
    failed.set('pods', error);
    return [];
  }
}

/** Pods with an address of this node's lease hang on this node's bridge; others are of other networks. */
function linksOf(pods: readonly Pod[], own: Lease): readonly string[] {
  const subnets = subnetsOf(own);
  return pods
    .filter(({ addresses }) =>
      addresses.some((address) => subnets.some((subnet) => subnet.contains(address))),
    )
    .map((pod) => pod.interface);
}

interface ApplyInput extends PassInput {
  readonly desired: DesiredState;
  readonly actual: RouteState;
  readonly failed: Map<string, unknown>;
  readonly config: NetworkConfig;
  readonly underlay: Underlay;
  readonly lease: Lease;
  /** What was done in this pass before. */
  readonly early: readonly RouteStep[];
  readonly hostLinks: readonly string[];
}

async function applyAll(ports: PassPorts, input: ApplyInput): Promise<PassResult> {
  const { desired, failed, settled } = input;
  const steps = new Map<string, number>();
  const repairs = new Map<string, number>();
  for (const [name, why] of desired.occupied) failed.set(`link ${name}`, new Error(why));
  const pods = { bridge: input.choices.bridge, hostLinks: input.hostLinks };
  const routes = applyRoutes(ports.route, { desired, actual: input.actual, pods, failed });
  const done = [...input.early, ...routes.steps];
  for (const step of done) add(steps, step.kind);
  for (const [kind, count] of countRepairs(done, desired.route, settled?.route)) {
    add(repairs, kind, count);
  }
  /** Not a repair if another value was wanted before, or if it failed before. */
  const note = (kind: string, subject: string, unchanged: boolean): void => {
    add(steps, kind);
    if (settled !== undefined && unchanged && !settled.failed.has(subject)) add(repairs, kind);
  };
  const touched = done.some(({ kind }) => kind.startsWith('link'));
  const carried = await ports.carrier.ensure(desired.carrier, {
    signal: input.signal,
    thorough: input.thorough,
    touched,
  });
  for (const { kind, object } of carried.changes) {
    note(kind, object, isSameCarried(object, desired, settled?.desired));
  }
  for (const [name, error] of carried.failed) failed.set(name, error);
  const sysctls = ensureSysctls(desired.sysctls, ports.sysctls, ports.made.noteSysctl);
  for (const key of sysctls.written) {
    note('sysctl', `sysctl ${key}`, settled?.desired.sysctls.get(key) === desired.sysctls.get(key));
  }
  for (const [key, error] of sysctls.failed) failed.set(`sysctl ${key}`, error);
  const files = ensureFiles(desired.files, ports.made.noteFile);
  for (const path of files.written) {
    note('file', `file ${path}`, settled?.desired.files.get(path) === desired.files.get(path));
  }
  for (const [path, error] of files.failed) failed.set(`file ${path}`, error);
  try {
    const changes = await ports.firewall.ensure(desired.masquerade, {
      signal: input.signal,
      thorough: input.thorough,
    });
    const same = JSON.stringify(settled?.desired.masquerade) === JSON.stringify(desired.masquerade);
    for (const _ of changes) note('firewall', 'firewall', same);
  } catch (error) {
    failed.set('firewall', error);
  }
  const leftovers = failed.has('firewall') ? undefined : await takeAwayFlannels(ports, input);
  for (const _ of leftovers?.removed ?? []) add(steps, 'flannel-rules');
  try {
    for (const _ of (await ports.podRules?.ensure()) ?? []) note('pod-rules', 'pod rules', true);
  } catch (error) {
    failed.set('pod rules', error);
  }
  const unprogrammed = unprogrammedPeers(desired.peers, routes.remaining, failed, carried.pending);
  const failedNames = new Set([...failed.keys(), ...routes.remaining]);
  return {
    blockers: blockersOf(ports.holder, { failed, unprogrammed }),
    config: input.config,
    underlay: input.underlay,
    lease: input.lease,
    desired,
    applied: true,
    unprogrammed,
    failed,
    steps,
    repairs,
    leftovers,
    settled: { route: { desired: desired.route, failed: failedNames }, desired, failed: failedNames },
  };
}

/** The same was wanted of it before. */
function isSameCarried(object: string, { carrier }: DesiredState, before: DesiredState | undefined): boolean {
  const devices = (from: CarrierPlan): string => JSON.stringify(from.devices);
  if (before === undefined || devices(carrier) !== devices(before.carrier)) return false;
  return carrier.peers.get(object) === before.carrier.peers.get(object);
}

/** Whoever masquerades by himself may want flannel's rules: then they stay. */
async function takeAwayFlannels(
  { flannelRules }: PassPorts,
  { desired, signal, thorough }: ApplyInput,
): Promise<FlannelLeftovers | undefined> {
  if (desired.masquerade === undefined) return undefined;
  return await flannelRules?.takeAway({ signal, thorough });
}

function blockersOf(
  holder: LeaseHolder,
  found: {
    readonly failed: ReadonlyMap<string, unknown>;
    readonly unprogrammed: ReadonlyMap<PeerPlan, string>;
  },
): readonly string[] {
  const { failed, unprogrammed } = found;
  const blockers: string[] = [];
  if (holder.conflict !== undefined) blockers.push(holder.conflict);
  if (!holder.isHeld) blockers.push(`the lease is not held: ${errorMessage(holder.error)}`);
  // A lease that could not be renewed holds until it ends.
  const objects = [...failed].filter(([name]) => name !== 'lease');
  const [first] = objects;
  if (first !== undefined) {
    const more = objects.length === 1 ? '' : ` (and ${objects.length - 1} more)`;
    blockers.push(`${errorMessage(first[1])}${more}`);
  }
  if (unprogrammed.size > 0) blockers.push(`${unprogrammed.size} peers are not programmed`);
  return blockers;
}

function findUnderlay(actual: RouteState, input: PassInput, config: NetworkConfig) {
  const families = [
    ...(config.ip4 === undefined ? [] : ([4] as const)),
    ...(config.ip6 === undefined ? [] : ([6] as const)),
  ];
  const marked = [...actual.links.values()].filter(({ alias }) => isNetloomAlias(alias));
  const ownLinks = new Set([input.choices.bridge, ...marked.map(({ name }) => name)]);
  return chooseUnderlay(actual, {
    settings: input.underlaySettings,
    families,
    routeTo: routeLookup(actual),
    ownLinks,
  });
}

function leaseOf(node: string, snapshot: LeaseSnapshot): Lease | undefined {
  for (const lease of snapshot.leases.values()) if (lease.node === node) return lease;
  return undefined;
}

interface Blocked {
  readonly blockers: readonly string[];
  readonly config?: NetworkConfig | undefined;
  readonly underlay?: Underlay | undefined;
  readonly lease?: Lease | undefined;
  readonly failed?: ReadonlyMap<string, unknown>;
}

/** What is there stays, and so does what is known of it; but nobody vouches for it. */
function blocked(input: PassInput, { blockers, config, underlay, lease, failed }: Blocked): PassResult {
  const desired = input.settled?.desired;
  const reason = blockers.join('; ');
  return {
    blockers,
    config,
    underlay,
    lease,
    desired,
    applied: false,
    unprogrammed: new Map(desired?.peers.map((peer) => [peer, reason])),
    failed: failed ?? new Map(),
    steps: new Map(),
    repairs: new Map(),
    settled: input.settled,
  };
}

function attempt(failed: Map<string, unknown>, name: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    failed.set(name, error);
  }
}

function add(counts: Map<string, number>, kind: string, count = 1): void {
  counts.set(kind, (counts.get(kind) ?? 0) + count);
}
