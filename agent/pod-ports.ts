// Pods' veths that lost their bridge (it was deleted, or somebody took them out) are made its ports again. Making and removing
// them is the wiring's alone: this never adds or deletes a link. Pure.
import type { Link, RouteState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import { isHostLinkName } from './wiring/attachment.ts';

/** Links that may be pods' and are no ports, or are down: only when there are some is it worth asking which pods there are. */
export function strayPodLinks({ links }: RouteState): readonly string[] {
  const names: string[] = [];
  for (const link of links.values())
    if (isHostLinkName(link.name) && (!isPort(link) || link.up !== true)) names.push(link.name);
  return names;
}

/** Steps for those of `hostLinks` that are there and are no bridge's port, or are down. A port of another bridge is left to it. */
export function podPortSteps(
  actual: RouteState,
  { bridge, hostLinks }: { readonly bridge: string; readonly hostLinks: readonly string[] },
): readonly RouteStep[] {
  if (actual.links.get(bridge)?.detail.kind !== 'bridge') return [];
  return hostLinks.flatMap((name): readonly RouteStep[] => {
    const was = actual.links.get(name);
    if (was?.detail.kind !== 'veth') return [];
    const joined = isPort(was);
    if (joined && (was.master !== bridge || was.up === true)) return [];
    const link: Link = { name, detail: was.detail, master: bridge, up: true };
    // A port that joins anew has lost its options: hairpin is what our conflist asks for.
    const port: RouteStep = { kind: 'port-set', port: { link: name, hairpin: true } };
    return [{ kind: 'link-set', link, was }, ...(joined ? [] : [port])];
  });
}

function isPort({ master }: Link): boolean {
  return master !== undefined && master !== '';
}
