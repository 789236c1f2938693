// Makes an attachment: record, address, links, rules, limits, in this order, so that whatever dies meanwhile the record names all that
// may be there. Who else may be at work on it, wiring.ts has made sure of.
import { bootId } from '../../kernel/boot.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { RangeSets } from '../ipam/address-range.ts';
import type { Allocation } from '../ipam/address-store.ts';
import { type Attachment, hostLinkName } from './attachment.ts';
import type { AttachmentRecord, AttachmentRecords } from './attachment-record.ts';
import { carryRules } from './carry-rules.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { ensureBridge, ensureGateways } from './own-bridge.ts';
import { attachPod, awaitAddresses, requireBridge } from './pod-links.ts';
import { ethernetMtu, type PodAddress, planPod, podRoutes } from './pod-plan.ts';
import { hasRules, type PodRules } from './pod-rules.ts';
import { joinVlans, vlanGateway } from './pod-vlans.ts';
import { takeBack } from './undo-attachment.ts';
import type { AddRequest, ChainRequest, FirewallWish, IpamWish, WiredPod } from './wire-request.ts';
import type { WiringState } from './wiring-state.ts';

export interface MakeOptions {
  /** The pod's namespace. */
  readonly pod: Netns;
  readonly records: AttachmentRecords;
}

/** Makes all of it or nothing. */
export async function makeAttachment(
  state: WiringState,
  request: AddRequest,
  { pod, records }: MakeOptions,
): Promise<WiredPod> {
  const { attachment } = request;
  const started: AttachmentRecord = {
    ...newRecord(request, pod),
    hostLink: hostLinkName(attachment),
    ipamDirectory: request.ipam?.directory,
    bandwidth: request.bandwidth !== undefined,
  };
  // Before the address: when the agent dies in an ADD the launcher does it in a process of its own at once, which looks at no
  // file of addresses but knows by the record that there may be one.
  records.write(started);
  try {
    return await make(state, request, { pod, records, started });
  } catch (error) {
    await takeBack(state, records.read(attachment) ?? started, records);
    throw error;
  }
}

async function make(
  state: WiringState,
  request: AddRequest,
  { pod, records, started }: MakeOptions & { readonly started: AttachmentRecord },
): Promise<WiredPod> {
  const { attachment, ipam, bridge: wish, port, bandwidth, runDirectory } = request;
  const { host, parts } = state;
  const bridge = wish.madeBy === 'agent' ? requireBridge(wish.name, host) : ensureBridge(wish, host);
  const gatewayLink = port.vlan === undefined ? bridge.name : vlanGateway(bridge, { vlan: port.vlan, host });
  const allocated = ipam === undefined ? none : await allocate(state, attachment, ipam);
  const addresses = allocated.addresses.map((address) => withSubnet(address, ipam?.sets ?? []));
  const plan = planPod(attachment, {
    bridge: bridge.name,
    mtu: request.mtu ?? wish.mtu ?? bridge.mtu ?? ethernetMtu,
    mac: request.mac,
    port,
    addresses,
    routes: podRoutes(addresses, request),
    enableDad: request.enableDad,
  });
  const rules = podRules(request.firewall, {
    attachment,
    addresses: addresses.map(({ address }) => address),
    bridge: gatewayLink,
    spoofCheck: { hostLink: plan.hostLink, mac: plan.podMac },
  });
  const record: AttachmentRecord = { ...started, addresses: allocated.reserved, rules };
  records.write(record);
  if (wish.madeBy === 'wiring' && wish.isGateway) {
    const gateways = addresses.map(({ address, gateway }) => new Prefix(gateway, address.length));
    ensureGateways(gatewayLink, { gateways, forceAddress: wish.forceAddress }, host);
  }
  const routes = attachPod(plan, { host, pod });
  joinVlans(plan, host);
  if (rules !== undefined) await carryRules(state, rules, { records, runDirectory });
  if (bandwidth !== undefined) {
    const { hostLink, mtu } = plan;
    parts.limiter.apply(attachment, { hostLink, mtu, limits: bandwidth });
  }
  if (request.enableDad) await awaitAddresses(plan, pod);
  records.write({ ...record, phase: 'added', addresses: allocated.addresses });
  return {
    bridge: { name: bridge.name, mac: bridge.mac },
    host: { name: plan.hostLink, mac: plan.hostMac },
    pod: { name: plan.ifname, mac: plan.podMac, mtu: plan.mtu },
    addresses,
    routes,
  };
}

const none: Allocation = { addresses: [], reserved: [] };

function allocate(
  { store, isOneShot }: WiringState,
  attachment: Attachment,
  { directory, sets, requested }: IpamWish,
): Promise<Allocation> {
  return store({ network: attachment.network, ipamDirectory: directory }).allocate({
    owner: attachment,
    sets,
    requested,
    ...(isOneShot ? { known: [] } : {}),
  });
}

function withSubnet(address: IpAddress, sets: RangeSets): PodAddress {
  const range = sets.flat().find(({ subnet }) => subnet.contains(address));
  if (range === undefined) throw new RangeError(`Address "${address}" is in none of the ranges`);
  return { address: new Prefix(address, range.subnet.length), gateway: range.gateway };
}

/** Publishes ports and sets limits for an interface that another plugin made: all of it or nothing. */
export async function makeChained(
  state: WiringState,
  request: ChainRequest,
  { pod, records }: MakeOptions,
): Promise<void> {
  const { attachment, addresses, bandwidth, runDirectory } = request;
  const link = request.hostLinks
    .map((name) => state.host.route.link(name))
    .find((candidate) => candidate?.detail.kind === 'veth');
  const bridge = link?.master === undefined || link.master === '' ? link?.name : link.master;
  const rules = podRules(request.firewall, { attachment, addresses, bridge, spoofCheck: undefined });
  const limited = bandwidth === undefined ? undefined : (link ?? refuseLimits());
  const record: AttachmentRecord = {
    ...newRecord(request, pod),
    rules,
    bandwidth: bandwidth !== undefined,
    limitedLink: limited?.name,
  };
  records.write(record);
  try {
    if (rules !== undefined) await carryRules(state, rules, { records, runDirectory });
    if (bandwidth !== undefined && limited !== undefined) {
      const { name: hostLink, mtu = ethernetMtu } = limited;
      state.parts.limiter.apply(attachment, { hostLink, mtu, limits: bandwidth });
    }
    records.write({ ...record, phase: 'added' });
  } catch (error) {
    await takeBack(state, record, records);
    throw error;
  }
}

function refuseLimits(): never {
  throw new CniError(
    cniCodes.invalidConfig,
    'Cannot limit the bandwidth: prevResult names no veth on the host',
  );
}

function newRecord(
  { attachment, netns, pod: name }: Pick<AddRequest, 'attachment' | 'netns' | 'pod'>,
  pod: Netns,
): AttachmentRecord {
  return {
    attachment,
    phase: 'adding',
    bootId: bootId(),
    netns: { path: netns, identity: pod.identity },
    addresses: [],
    bandwidth: false,
    pod: name,
    madeAt: Date.now(),
  };
}

/** Undefined when there is nothing to carry. */
function podRules(
  { spoofCheck, ...wish }: FirewallWish,
  pod: Pick<PodRules, 'attachment' | 'addresses' | 'bridge' | 'spoofCheck'>,
): PodRules | undefined {
  const rules: PodRules = { ...wish, ...pod, spoofCheck: spoofCheck ? pod.spoofCheck : undefined };
  return hasRules(rules) ? rules : undefined;
}
