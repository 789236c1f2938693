// Makes a lab's namespaces and the wires between them in the kernel. What goes where is fabric.ts's; removal is sweep.ts's.
import { createNetns, Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { fabricSteps, nodeSteps, outsideSteps } from './fabric.ts';
import { type LabPlan, netnsPath } from './lab-plan.ts';

/** All namespaces but the pods', wired. Throws KernelError, or AggregateError with one for each step that failed. */
export function makeNamespaces(plan: LabPlan): void {
  const names = [plan.fabric.netns, plan.outside.netns, ...plan.nodes.map((node) => node.netns)];
  for (const name of names) makeNetns(name);
  using open = new DisposableStack();
  const handles = new Map(names.map((name) => [name, open.use(Netns.open(netnsPath(name)))]));
  const handleOf = (name: string): Netns => {
    const handle = handles.get(name);
    if (handle === undefined) throw new RangeError(`Cannot find namespace "${name}"`);
    return handle;
  };
  applyIn(handleOf(plan.fabric.netns), fabricSteps(plan, handleOf));
  applyIn(handleOf(plan.outside.netns), outsideSteps(plan));
  for (const node of plan.nodes) applyIn(handleOf(node.netns), nodeSteps(plan, node.address));
}

/**
 * An empty namespace without IPv6: the lab's addresses are IPv4, and router solicitations would only disturb whoever looks
 * on with tcpdump.
 */
export function makeNetns(name: string): void {
  createNetns(netnsPath(name));
  using netns = Netns.open(netnsPath(name));
  for (const scope of ['all', 'default']) writeSysctl(`net/ipv6/conf/${scope}/disable_ipv6`, '1', { netns });
}

function applyIn(netns: Netns, steps: readonly RouteStep[]): void {
  const driver = openRouteDriver({ netns });
  try {
    const errors = driver
      .apply(steps)
      .flatMap((result) => (result.error === undefined ? [] : [result.error]));
    if (errors.length > 0) {
      throw new AggregateError(errors, errors.map((error) => error.message).join('; '));
    }
  } finally {
    driver.close();
  }
}
