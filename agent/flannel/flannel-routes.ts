// The routes that flannel left on a VXLAN device which is ours now: of peers that went while nobody looked, which flannel never collects.
// They bear the number of everybody's routes, so they are told by their form, and only on our device. Pure.
import { selection } from '../../kernel/route/layered-map.ts';
import { type Route, routeKey } from '../../kernel/route/objects.ts';

/** RTPROT_BOOT and RT_TABLE_MAIN (linux/rtnetlink.h): what netlink libraries and `ip route` use unless told otherwise. */
const bootProtocol = 3;
const mainTable = 254;

/** "S via the first address of S, onlink": no operator writes that, and without neighbour and FDB row it leads nowhere. */
const ofFlannelsForm = selection<Route>(({ protocol, table, type, destination, hops }) => {
  const [hop] = hops;
  return (
    protocol === bootProtocol &&
    table === mainTable &&
    type === 'unicast' &&
    hops.length === 1 &&
    hop?.onlink === true &&
    hop.gateway?.equals(destination.first()) === true
  );
});

/** By key: those on one of the devices. */
export function flannelRoutes(
  routes: ReadonlyMap<string, Route>,
  devices: readonly string[],
): ReadonlySet<string> {
  return new Set(
    ofFlannelsForm(routes)
      .filter(({ hops: [hop] }) => devices.includes(hop?.link ?? ''))
      .map(routeKey),
  );
}
