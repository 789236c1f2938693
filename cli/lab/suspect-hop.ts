// When a probe fails: the first hop on its way that looks wrong, from a few cheap questions. A hint, not a proof.
import { icmpEcho } from '../../kernel/icmp-echo.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Endpoint, endpointsOf, type Probe } from './check-plan.ts';
import type { LabState } from './lab-state.ts';
import type { ProbeSurroundings } from './run-probe.ts';

type Surroundings = Pick<ProbeSurroundings, 'poller' | 'netnsOf'> & { readonly state: LabState };

const hopTime = 500;

/** Undefined when nothing looks wrong, or when the way is not one between nodes. */
export async function suspectHop(probe: Probe, around: Surroundings): Promise<string | undefined> {
  const { from, to } = probe;
  const { family } = to.address;
  const network = around.state.networks.find((one) => one.family === family);
  if (network === undefined) return undefined;
  const podNetwork = Prefix.parse(network.pods);
  const { nodes } = endpointsOf(around.state, family);
  const source = nodes.find(({ node }) => node === from.node);
  const target = nodes.find(({ node }) => node === to.node);
  try {
    if (source === undefined || target === undefined || source === target) return undefined;
    for (const [node, far] of [
      [source, to.address],
      [target, from.address],
    ] as const) {
      if (
        podNetwork.contains(far) &&
        !hasRoute(around.netnsOf(node.netns), { to: far, within: podNetwork })
      ) {
        return `node ${node.name} has no route to ${far}`;
      }
    }
    if (!(await answers({ from: source, to: target }, around))) {
      return `node ${source.name} does not reach node ${target.name} on the underlay`;
    }
    if (to !== target && !(await answers({ from: target, to }, around))) {
      return `node ${target.name} does not reach its pod ${to.name}`;
    }
    return undefined;
  } catch {
    return undefined;
  }
}

/** A route of the pod network's: the default route leads to it only by accident. */
function hasRoute(
  netns: Netns,
  { to, within }: { readonly to: IpAddress; readonly within: Prefix },
): boolean {
  const driver = openRouteDriver({ netns });
  try {
    return [...driver.read().routes.values()].some(
      ({ destination, type }) =>
        type === 'unicast' && within.contains(destination) && destination.contains(to),
    );
  } finally {
    driver.close();
  }
}

async function answers(
  { from, to }: { readonly from: Endpoint; readonly to: Endpoint },
  around: Surroundings,
): Promise<boolean> {
  const { poller } = around;
  const answer = await icmpEcho(to.address, { poller, netns: around.netnsOf(from.netns), timeout: hopTime });
  return answer.kind === 'reply';
}
