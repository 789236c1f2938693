// Which of the other nodes' leases can be believed. Leases are foreign input: one that overlaps ours, lies outside of the
// network or claims another node's address is reported and left out, and the rest goes on. What is made of a peer is the backend's.
import type { Prefix } from '../net/prefix.ts';
import { type BackendData, type Lease, subnetsOf } from '../store/lease.ts';
import type { NetworkConfig, SubnetRange } from '../store/network-config.ts';
import type { BackendInput } from './backend/backend.ts';
import { isSameBackend, whyNotPlain } from './backend/unlike-backends.ts';
import { claim, type PeerClaims, publicAddresses, whyNotBeside } from './peer-claims.ts';

/** A lease that is not programmed, and why. */
export interface RejectedPeer {
  readonly lease: Lease;
  readonly reason: string;
}

export interface CheckedPeers {
  readonly accepted: readonly Lease[];
  readonly rejected: readonly RejectedPeer[];
  /** Of the accepted ones. */
  readonly claims: PeerClaims;
  /** True when a lease was left out for another's sake: who is believed then depends on all of them. */
  readonly hasClash: boolean;
}

/** Takes the leases of the others, in any order. Of two that claim the same, the one renewed last is believed. */
export function checkPeers(leases: readonly Lease[], input: BackendInput): CheckedPeers {
  const accepted: Lease[] = [];
  const rejected: RejectedPeer[] = [];
  const claims: PeerClaims = { taken: new Map(), subnets: [] };
  let hasClash = false;
  for (const lease of [...leases].sort(byTrust(input.config))) {
    const alone = whyNotAlone(lease, input);
    const beside = alone === undefined ? whyNotBeside(lease, claims) : undefined;
    const reason = alone ?? beside;
    hasClash ||= beside !== undefined;
    if (reason === undefined) {
      accepted.push(lease);
      claim(lease, claims);
    } else {
      rejected.push({ lease, reason });
    }
  }
  return {
    accepted: accepted.sort(bySubnet),
    rejected: rejected.sort((a, b) => bySubnet(a.lease, b.lease)),
    claims,
    hasClash,
  };
}

/** Proper size first, then the one that ends last (it was renewed last), then by subnet so that all nodes agree. */
function byTrust(config: NetworkConfig): (one: Lease, other: Lease) => number {
  const misfit = (lease: Lease): number =>
    subnetsOf(lease).filter((subnet) => rangeOf(config, subnet)?.subnetLength !== subnet.length).length;
  const end = (lease: Lease): number => lease.expiresAt ?? Number.MAX_VALUE;
  return (one, other) => misfit(one) - misfit(other) || end(other) - end(one) || bySubnet(one, other);
}

/** The order of peers. */
export function bySubnet(one: Lease, other: Lease): number {
  const [first] = subnetsOf(one);
  const [second] = subnetsOf(other);
  if (first === undefined || second === undefined) return 0;
  return first.compare(second);
}

function rangeOf(config: NetworkConfig, subnet: Prefix): SubnetRange | undefined {
  return subnet.family === 4 ? config.ip4 : config.ip6;
}

/** Why the lease cannot be believed whatever the others are. */
export function whyNotAlone(lease: Lease, input: BackendInput): string | undefined {
  const { config, own, underlay } = input;
  for (const subnet of subnetsOf(lease)) {
    const range = rangeOf(config, subnet);
    if (range === undefined) continue;
    if (!range.network.contains(subnet))
      return `its subnet "${subnet}" is outside of the network "${range.network}"`;
    const clash = subnetsOf(own).find((ours) => ours.overlaps(subnet));
    if (clash !== undefined) return `its subnet "${subnet}" overlaps this node's "${clash}"`;
  }
  for (const address of publicAddresses(lease)) {
    const ours = [underlay.ip4, underlay.ip6].find(
      (family) => family?.publicIp.equals(address) || family?.address.equals(address),
    );
    if (ours !== undefined) return `it claims this node's own public address "${address}"`;
    const range = address.family === 4 ? config.ip4 : config.ip6;
    // Its packets would be routed to where they come from.
    if (range?.network.contains(address)) return `its public address "${address}" is a pod's`;
  }
  if (!isSameBackend(lease.backendType, own.backendType)) return whyNotPlain(lease, input);
  return whyNotItsData(lease, own);
}

/** The data of each family, against our own. */
function whyNotItsData(lease: Lease, own: Lease): string | undefined {
  const pairs = [
    { subnet: lease.subnet, theirs: lease.backendData, ours: own.backendData },
    { subnet: lease.subnet6, theirs: lease.backendDataV6, ours: own.backendDataV6 },
  ];
  for (const { subnet, theirs, ours } of pairs) {
    if (subnet === undefined) continue;
    const reason =
      ours?.kind === 'vxlan'
        ? whyNotVtep(subnet, theirs, ours)
        : ours?.kind === 'wireguard'
          ? whyNotKey(subnet, theirs, ours)
          : undefined;
    if (reason !== undefined) return reason;
  }
  return undefined;
}

type DataOf<Kind extends BackendData['kind']> = Extract<BackendData, { kind: Kind }>;

function whyNotVtep(
  subnet: Prefix,
  theirs: BackendData | undefined,
  ours: DataOf<'vxlan'>,
): string | undefined {
  if (theirs?.kind !== 'vxlan') return `it has no VXLAN data for "${subnet}"`;
  if (theirs.vni !== ours.vni) return `its VNI is ${theirs.vni}, this node's is ${ours.vni}`;
  return theirs.vtepMac.equals(ours.vtepMac)
    ? `it claims this node's own VTEP MAC "${ours.vtepMac}"`
    : undefined;
}

function whyNotKey(
  subnet: Prefix,
  theirs: BackendData | undefined,
  ours: DataOf<'wireguard'>,
): string | undefined {
  if (theirs?.kind !== 'wireguard') return `it has no WireGuard key for "${subnet}"`;
  return theirs.publicKey.equals(ours.publicKey)
    ? `it claims this node's own WireGuard key "${ours.publicKey}"`
    : undefined;
}
