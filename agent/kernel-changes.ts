// Which notifications of rtnetlink are worth a pass: hosts learn neighbours and bridges learn addresses all the time, pods come and
// go, and none of that is the agent's business.
import type { RouteChange } from '../kernel/route/watch.ts';
import { isBackendDeviceName } from './backend/device-names.ts';
import { isHostLinkName } from './wiring/attachment.ts';

export function isWorthAPass(change: RouteChange): boolean {
  switch (change.kind) {
    case 'neighbour':
    case 'fdb':
      return isBackendDeviceName(change.object.link);
    // Pods' links that have gone astray the agent looks for by itself, once they had the time to be made.
    case 'link':
      return !isHostLinkName(change.object.name);
    case 'address':
      return !isHostLinkName(change.object.link);
    case 'route':
      return (
        change.object.hops.length === 0 || !change.object.hops.every(({ link = '' }) => isHostLinkName(link))
      );
    case 'rule':
    case 'overrun':
      return true;
    // Hairpin and isolation of the pods' ports are the wiring's.
    case 'port':
      return false;
    default:
      return change satisfies never;
  }
}
