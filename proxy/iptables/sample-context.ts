// The node that the tests of the iptables mode are about. Not for programs.
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { RuleContext } from '../rule-context.ts';

export function sampleContext(fields: Partial<RuleContext> & { readonly family?: Family } = {}): RuleContext {
  const { family = 4 } = fields;
  return {
    family,
    nodeIps: [IpAddress.parse(family === 4 ? '192.168.0.2' : 'fd00:168::2')],
    nodePortIps: 'all',
    localhostNodePorts: family === 4,
    localDetector: {
      kind: 'prefix',
      prefix: Prefix.parse(family === 4 ? '10.0.0.0/8' : 'fd00:10::/32'),
    },
    masqueradeAll: false,
    masqueradeMark: 0x4000,
    serviceNetworks: [],
    dropInvalid: true,
    ...fields,
  };
}
