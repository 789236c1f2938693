// Pods for tests of both backends.
import { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import type { PodRules, PortMapping } from '../pod-rules.ts';

/** A pod of two families with nothing asked for; `id` is its container's. */
export function samplePod(id: string, rules: Partial<PodRules> = {}): PodRules {
  return {
    attachment: { network: 'cbr0', containerId: id, ifname: 'eth0' },
    backend: 'nftables',
    addresses: [Prefix.parse('10.244.1.5/24'), Prefix.parse('fd00:244:1::5/64')],
    ports: [],
    portMasquerade: 'needed',
    masquerade: false,
    bridge: 'cni0',
    ...rules,
  };
}

/** "8080:80/tcp", "192.0.2.1=8080:80/tcp". */
export function samplePort(text: string): PortMapping {
  const [, hostIp, hostPort, containerPort, protocol] =
    /^(?:(.+)=)?(\d+):(\d+)\/(tcp|udp|sctp)$/.exec(text) ?? [];
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw new SyntaxError(`Cannot parse port "${text}"`);
  return {
    protocol,
    hostPort: Number(hostPort),
    containerPort: Number(containerPort),
    hostIp: hostIp === undefined ? undefined : IpAddress.parse(hostIp),
  };
}
