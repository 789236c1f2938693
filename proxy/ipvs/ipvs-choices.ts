// What an operator may choose of the IPVS mode beside what all modes have. Values, all decided; where they come from is settings.ts.
import type { IpvsTimeouts } from '../../kernel/ipvs/objects.ts';
import type { Prefix } from '../../net/prefix.ts';

export interface IpvsChoices {
  /** Of all virtual servers, by the kernel's name. */
  readonly scheduler: string;
  /** Virtual servers in these networks are somebody else's: they are never deleted. */
  readonly excludePrefixes: readonly Prefix[];
  /** The node answers ARP only for addresses of the link that is asked, as load balancers that announce addresses by ARP need it. */
  readonly strictArp: boolean;
  /** Seconds; 0 leaves the kernel's. */
  readonly timeouts: IpvsTimeouts;
}

export const defaultIpvsChoices: IpvsChoices = {
  scheduler: 'rr',
  excludePrefixes: [],
  strictArp: false,
  timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
};
