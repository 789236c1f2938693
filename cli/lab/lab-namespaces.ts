// Makes a lab's namespaces and the wires between them in the kernel. What goes where is fabric.ts's; removal is sweep.ts's.
import { createNetns, Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { fabricSteps, nodeSteps, outsideSteps, uplinkSysctls } from './fabric.ts';
import { type LabPlan, netnsPath } from './lab-plan.ts';

/** All namespaces but the pods', wired. Throws KernelError, or AggregateError with one for each step that failed. */
export function makeNamespaces(plan: LabPlan): void {
  const names = [plan.fabric.netns, plan.outside.netns, ...plan.nodes.map((node) => node.netns)];
  const ip6 = plan.networks.some(({ family }) => family === 6);
  // The fabric only carries frames.
  for (const name of names) makeNetns(name, { ip6: ip6 && name !== plan.fabric.netns });
  using open = new DisposableStack();
  const handles = new Map(names.map((name) => [name, open.use(Netns.open(netnsPath(name)))]));
  const handleOf = (name: string): Netns => {
    const handle = handles.get(name);
    if (handle === undefined) throw new RangeError(`Cannot find namespace "${name}"`);
    return handle;
  };
  applyIn(handleOf(plan.fabric.netns), fabricSteps(plan, handleOf));
  for (const name of [plan.outside.netns, ...plan.nodes.map(({ netns }) => netns)])
    for (const [key, value] of ip6 ? uplinkSysctls : []) writeSysctl(key, value, { netns: handleOf(name) });
  applyIn(handleOf(plan.outside.netns), outsideSteps(plan));
  for (const node of plan.nodes) applyIn(handleOf(node.netns), nodeSteps(plan, node));
}

/** An empty namespace; where nobody has IPv6, without it: router solicitations would only disturb whoever looks on with tcpdump. */
export function makeNetns(name: string, { ip6 }: { readonly ip6: boolean }): void {
  createNetns(netnsPath(name));
  if (ip6) return;
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
