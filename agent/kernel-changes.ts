// Which notifications of rtnetlink are worth a pass: hosts learn neighbours and bridges learn addresses all the time, and
// none of that is the agent's business.
import type { RouteChange } from '../kernel/route/watch.ts';
import { isVxlanDeviceName } from './backend/vxlan.ts';

export function isWorthAPass(change: RouteChange): boolean {
  switch (change.kind) {
    case 'neighbour':
    case 'fdb':
      return isVxlanDeviceName(change.object.link);
    case 'link':
    case 'address':
    case 'route':
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
