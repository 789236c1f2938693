// The wires of a lab as steps for each of its namespaces: the underlay's bridge, the nodes' and outside's links to it, their
// addresses and routes. Pure; lab-namespaces.ts executes them. What a node's agent makes is not here.

import type { Netns } from '../../kernel/netns.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { LabPlan } from './lab-plan.ts';

const underlayBridge = 'underlay';
/** What the nodes' and outside's end of their link is called. */
export const uplink = 'eth0';
/** Not the agent's protocol (78): what the lab puts on a node is as foreign to the agent as an administrator's routes. */
const staticProtocol = 4;
const mainTable = 254;
const everything = new Prefix(IpAddress.parse('0.0.0.0'), 0);

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

/** The member's own name: "n1", "outside". */
function portName(plan: LabPlan, netns: string): string {
  return netns.slice(`netloom-${plan.name}-`.length);
}

export function nodeSteps(plan: LabPlan, address: Prefix): readonly RouteStep[] {
  return [
    loopbackUp,
    linkUp(uplink, 'veth'),
    { kind: 'address-add', address: { link: uplink, prefix: address } },
    {
      kind: 'route-set',
      route: {
        destination: everything,
        table: mainTable,
        priority: 0,
        protocol: staticProtocol,
        type: 'unicast',
        hops: [{ gateway: plan.outside.gateway.address, link: uplink }],
      },
    },
  ];
}

/** Outside has no route to the pods: whatever comes from them must come from a node's address. It plays the load balancer, too. */
export function outsideSteps(plan: LabPlan): readonly RouteStep[] {
  return [
    loopbackUp,
    linkUp(uplink, 'veth'),
    { kind: 'address-add', address: { link: uplink, prefix: plan.outside.gateway } },
    { kind: 'address-add', address: { link: 'lo', prefix: Prefix.host(plan.outside.internet) } },
    ...plan.nodes.slice(0, 1).map(
      ({ address }): RouteStep => ({
        kind: 'route-set',
        route: {
          destination: plan.loadBalancerNetwork,
          table: mainTable,
          priority: 0,
          protocol: staticProtocol,
          type: 'unicast',
          hops: [{ gateway: address.address, link: uplink }],
        },
      }),
    ),
  ];
}
