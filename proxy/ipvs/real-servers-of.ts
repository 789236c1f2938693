// The real servers of a virtual server that may be gone by the time one asks.
import {
  type IpvsAccess,
  type RealServerState,
  realServerText,
  type VirtualServerId,
} from '../../kernel/ipvs/objects.ts';
import { isNotFound } from '../../kernel/kernel-error.ts';

/** By text; undefined when there is no such virtual server. */
export function realServersOf(
  ipvs: Pick<IpvsAccess, 'realServers'>,
  id: VirtualServerId,
): ReadonlyMap<string, RealServerState> | undefined {
  try {
    return new Map(ipvs.realServers(id).map((real) => [realServerText(real), real]));
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
