// The wires of a lab as steps for each of its namespaces: the underlay's bridge, the nodes' and outside's links to it, their
// addresses and routes. Pure; lab-namespaces.ts executes them. What a node's agent makes is not here.

import type { Netns } from '../../kernel/netns.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { LabPlan, NodePlan } from './lab-plan.ts';

const underlayBridge = 'underlay';
/** What the nodes' and outside's end of their link is called. */
export const uplink = 'eth0';
/** Not the agent's protocol (78): what the lab puts on a node is as foreign to the agent as an administrator's routes. */
const staticProtocol = 4;
const mainTable = 254;
const everything: Readonly<Record<Family, Prefix>> = {
  4: new Prefix(IpAddress.parse('0.0.0.0'), 0),
  6: new Prefix(IpAddress.parse('::'), 0),
};
/** The kernel's own default metrics (IP6_RT_PRIO_USER). */
const usualPriority: Readonly<Record<Family, number>> = { 4: 0, 6: 1024 };

const loopbackUp: RouteStep = linkUp('lo');

function linkUp(name: string, kind: 'veth' | 'other' = 'other'): RouteStep {
  const detail = kind === 'veth' ? ({ kind } as const) : ({ kind, type: '' } as const);
  return { kind: 'link-set', link: { name, detail, up: true }, was: { name, detail, up: false } };
}

/**
 * In the fabric's namespace: a bridge and, for each member, a veth pair whose other end is made inside the member's
 * namespace. `netnsOf` gives the open namespace of a name.
 */
export function fabricSteps(plan: LabPlan, netnsOf: (name: string) => Netns): readonly RouteStep[] {
  const members = [plan.outside.netns, ...plan.nodes.map((node) => node.netns)];
  return [
    loopbackUp,
    { kind: 'link-add', link: { name: underlayBridge, detail: { kind: 'bridge' }, up: true } },
    ...members.map((netns): RouteStep => {
      const peer = { name: uplink, netns: netnsOf(netns) };
      const name = portName(plan, netns);
      return {
        kind: 'link-add',
        link: { name, detail: { kind: 'veth', peer }, master: underlayBridge, up: true },
      };
    }),
  ];
}

/**
 * Key -> value, before the link is up: nobody advertises routers, and the kernel's own link-local address, without which it cannot ask
 * for neighbours, is there at once.
 */
export const uplinkSysctls: ReadonlyMap<string, string> = new Map([
  [`net/ipv6/conf/${uplink}/accept_ra`, '0'],
  [`net/ipv6/conf/${uplink}/accept_dad`, '0'],
]);

/** The member's own name: "n1", "outside". */
function portName(plan: LabPlan, netns: string): string {
  return netns.slice(`netloom-${plan.name}-`.length);
}

export function nodeSteps(plan: LabPlan, { addresses }: Pick<NodePlan, 'addresses'>): readonly RouteStep[] {
  return [
    loopbackUp,
    linkUp(uplink, 'veth'),
    ...addresses.map((address) => addressOn(uplink, address)),
    ...plan.networks.map(({ family, gateway }) => staticRoute(everything[family], gateway.address)),
  ];
}

/** Outside has no route to the pods: whatever comes from them must come from a node's address. It plays the load balancer, too. */
export function outsideSteps(plan: LabPlan): readonly RouteStep[] {
  return [
    loopbackUp,
    linkUp(uplink, 'veth'),
    ...plan.networks.flatMap(({ gateway, internet }) => [
      addressOn(uplink, gateway),
      addressOn('lo', Prefix.host(internet)),
    ]),
    ...plan.nodes
      .slice(0, 1)
      .flatMap(({ addresses }) =>
        plan.networks.flatMap(({ loadBalancers }, i) =>
          addresses.slice(i, i + 1).map(({ address }) => staticRoute(loadBalancers, address)),
        ),
      ),
  ];
}

/** No other has it, so nobody has to be asked: an IPv6 address could not be used for a second or two. */
function addressOn(link: string, prefix: Prefix): RouteStep {
  const address = { link, prefix, ...(prefix.family === 6 ? { noDad: true } : {}) };
  return { kind: 'address-add', address };
}

function staticRoute(destination: Prefix, gateway: IpAddress): RouteStep {
  return {
    kind: 'route-set',
    route: {
      destination,
      table: mainTable,
      priority: usualPriority[destination.family],
      protocol: staticProtocol,
      type: 'unicast',
      hops: [{ gateway, link: uplink }],
    },
  };
}
