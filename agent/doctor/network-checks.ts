// Checks of what the pods' network meets on the node: routes and addresses of others in it, MTUs, reverse path filters, bridged packets
// that the firewall does not see. Pure.
import type { Link, LinkDetail } from '../../kernel/route/objects.ts';
import { netloomAlias } from '../alias.ts';
import { isBackendDevice } from '../backend/device-names.ts';
import { ipipOverhead } from '../backend/ipip.ts';
import { vxlanOverhead } from '../backend/vxlan.ts';
import type { Finding } from './finding.ts';
import type { NodeFacts } from './node-facts.ts';

export const bridgeNetfilterKey = 'net/bridge/bridge-nf-call-iptables';

/** A link that is the pods' way on this node, whoever made it: the bridge, VXLAN and other tunnels. */
export function isPodWay(link: Link, bridge: string): boolean {
  return link.name === bridge || link.detail.kind === 'vxlan' || isBackendDevice(link);
}

function podWays({ links, surroundings: { bridge } }: NodeFacts): readonly Link[] {
  return links.filter((link) => isPodWay(link, bridge));
}

export function routeConflicts(facts: NodeFacts): readonly Finding[] {
  const { networks, routes } = facts.surroundings;
  const own = new Set([facts.surroundings.bridge, ...podWays(facts).map(({ name }) => name)]);
  return routes.flatMap(({ destination, hops }): readonly Finding[] => {
    const link = hops[0]?.link;
    const network = networks.find((one) => one.overlaps(destination));
    if (destination.length === 0 || network === undefined || (link !== undefined && own.has(link))) return [];
    const takesPods = network.contains(destination);
    const way = link === undefined ? 'nowhere' : `by ${link}`;
    return [
      {
        check: 'route-conflict',
        severity: takesPods ? 'error' : 'hint',
        object: `${destination} ${way}`,
        finding: takesPods
          ? 'a route of somebody else’s takes packets for pods another way'
          : 'machines in this network that have addresses of pods cannot be reached from here',
        evidence: takesPods
          ? `it is inside of the pods’ network ${network}`
          : `the pods’ network ${network} is inside of it`,
        remedy: `remove the route if nobody needs it ("ip route delete ${destination}"), or give the pods another network`,
      },
    ];
  });
}

export function addressConflicts(facts: NodeFacts): readonly Finding[] {
  const { networks, addresses, bridge } = facts.surroundings;
  const own = new Set([facts.surroundings.bridge, ...podWays(facts).map(({ name }) => name)]);
  return addresses.flatMap(({ link, prefix }): readonly Finding[] => {
    const network = networks.find((one) => one.contains(prefix.address));
    // An address of a host is nobody's network: kube-ipvs0 and the like.
    if (network === undefined || own.has(link) || prefix.length === prefix.bits) return [];
    return [
      {
        check: 'address-conflict',
        severity: 'error',
        object: `${prefix} on ${link}`,
        finding: `an interface that is not the pods’ has an address of the pods’ network`,
        evidence: `it is inside of ${network}, whose pods are behind ${bridge}`,
        remedy: 'give the interface an address of another network, or the pods another network',
      },
    ];
  });
}

/** What is in the tunnel must fit, with what the tunnel adds, into what carries it. */
export function mtus(facts: NodeFacts): readonly Finding[] {
  const { links, claimedLinks, surroundings } = facts;
  const podMtu = surroundings.mtu;
  const byName = new Map(links.map((link) => [link.name, link]));
  const findings: Finding[] = [];
  const tunnels = links.filter((link) => isBackendDevice(link) && link.alias === netloomAlias);
  for (const { name, mtu, detail } of tunnels) {
    if (mtu === undefined) continue;
    const { extra, adds } = addition(detail);
    const carrier = carrierOf(detail, facts, byName);
    if (carrier?.mtu !== undefined && mtu + extra > carrier.mtu) {
      findings.push({
        check: 'mtu',
        severity: 'warning',
        object: name,
        finding: 'its largest packets do not fit into what carries them: they are lost or cut in pieces',
        evidence: `its MTU is ${mtu}, ${adds} adds ${extra}, and ${carrier.name} takes ${carrier.mtu}`,
        remedy:
          'see that the agent runs: it follows the underlay’s MTU; a fixed one is "MTU" of the backend’s configuration',
      });
    }
    if (podMtu !== undefined && podMtu > mtu) {
      findings.push({
        check: 'mtu',
        severity: 'warning',
        object: `pods’ MTU ${podMtu}`,
        finding: 'pods are made with a larger MTU than their way to other nodes has',
        evidence: `${name} takes ${mtu}`,
        remedy: 'see that the agent runs, which writes subnet.env anew; make the pods anew',
      });
    }
  }
  const large = links.filter(
    ({ name, mtu, detail }) =>
      detail.kind === 'veth' && claimedLinks.has(name) && podMtu !== undefined && (mtu ?? 0) > podMtu,
  );
  if (large.length > 0) {
    findings.push({
      check: 'mtu',
      severity: 'hint',
      object: `${large.length} pod${large.length === 1 ? '' : 's'}`,
      finding: 'made when the MTU was larger: their largest packets are refused on the way',
      evidence: `${listed(large.map(({ name, mtu }) => `${name} has ${mtu}`))}; the pods’ MTU is ${podMtu} now`,
      remedy: 'make them anew when it suits',
    });
  }
  return findings;
}

/** What a tunnel puts around a packet. */
function addition(detail: LinkDetail): { readonly extra: number; readonly adds: string } {
  return detail.kind === 'vxlan'
    ? { extra: vxlanOverhead[detail.local?.family ?? 4], adds: 'VXLAN' }
    : { extra: ipipOverhead, adds: 'IP in IP' };
}

/** A VXLAN device names it; another tunnel has the address of one. */
function carrierOf(
  detail: LinkDetail,
  { surroundings: { addresses } }: NodeFacts,
  links: ReadonlyMap<string, Link>,
): Link | undefined {
  if (detail.kind === 'vxlan') return links.get(detail.underlay ?? '');
  if (detail.kind !== 'ipip') return undefined;
  const { local } = detail;
  const place = addresses.find(({ prefix }) => local !== undefined && prefix.address.equals(local));
  return links.get(place?.link ?? '');
}

function listed(texts: readonly string[]): string {
  const shown = texts.slice(0, 5).join(', ');
  return texts.length > 5 ? `${shown} and ${texts.length - 5} more` : shown;
}

export function reversePathKey(link: string): string {
  return `net/ipv4/conf/${link}/rp_filter`;
}

/** Strict only: the loose filter asks for any route back, and there is one. The kernel takes the larger of two values. */
export function strictReversePath(facts: NodeFacts): readonly Finding[] {
  const { sysctls } = facts.surroundings;
  const value = (link: string): number => Number(sysctls.get(reversePathKey(link)) ?? 0);
  return podWays(facts).flatMap(({ name }): readonly Finding[] => {
    if (Math.max(value('all'), value(name)) !== 1) return [];
    return [
      {
        check: 'reverse-path',
        severity: 'hint',
        object: reversePathKey(name).replaceAll('/', '.'),
        finding: 'packets are dropped that come another way than their answers would go',
        evidence: 'its filter, or that of "all", is strict (1)',
        remedy: `where nodes reach each other in several ways, run "sysctl -w net.ipv4.conf.${name}.rp_filter=2" and the same for "all"`,
      },
    ];
  });
}

/** Answers between two pods of one bridge pass no hook of the node's, where they would get the service's address back. */
export function bridgedAnswers({ forwarding, surroundings }: NodeFacts): readonly Finding[] {
  const { sysctls, hasProxy, bridge } = surroundings;
  if (!hasProxy || !forwarding.podSubnets.some(({ family }) => family === 4)) return [];
  const value = sysctls.get(bridgeNetfilterKey);
  if (value === '1') return [];
  return [
    {
      check: 'bridged-answers',
      severity: 'error',
      object: bridgeNetfilterKey.replaceAll('/', '.'),
      finding: 'a pod that reaches a service gets no answer from an endpoint on its own node',
      evidence: `${value === undefined ? 'there is no such setting: module br_netfilter is not loaded' : `it is ${value}`}; what goes from pod to pod over ${bridge} is not translated back`,
      remedy: `run "modprobe br_netfilter" and "sysctl -w net.bridge.bridge-nf-call-iptables=1" (IPv6: ip6tables), and name them in /etc/modules-load.d and /etc/sysctl.d`,
      ...(value === undefined ? {} : { mend: { kind: 'sysctl-set', key: bridgeNetfilterKey, value: '1' } }),
    },
  ];
}
