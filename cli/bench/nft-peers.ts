// What `nft -f` is given in the proxy's benchmarks: our own table as text, and the layout of kube-proxy 1.36 for the same services. Text
// only; it is run by proxy-nftables-cases.ts.
import { createHash } from 'node:crypto';
import { tableKey } from '../../kernel/nft/objects.ts';
import type { NftDriver } from '../../kernel/nft/step.ts';
import { tableText } from '../../kernel/nft/text.ts';
import { proxyTableId } from '../../proxy/nftables/proxy-table.ts';
import {
  type Amount,
  benchService,
  benchSlices,
  endpointPort,
  podNetwork,
  type SliceState,
  serviceAddress,
  servicePort,
} from './proxy-services.ts';

/** A way to keep services by giving text to nft. */
export interface NftText {
  readonly name: string;
  /** All services, on an empty kernel. */
  readonly load: string;
  /** Takes the last endpoint of service 0 elsewhere, or back. */
  readonly change: (moved: boolean) => string;
  readonly clear: string;
}

/** Our table as it stands in the kernel. */
export function ownLayout(driver: NftDriver, amount: Amount): NftText {
  const id = proxyTableId(4);
  const table = driver.read([id]).state.get(tableKey(id));
  if (table === undefined) throw new RangeError('Our table is not there');
  const load = tableText(table);
  const endpoints = (moved: boolean) => benchSlices(0, { amount, moved }).flatMap((slice) => slice.endpoints);
  const before = `${endpoints(false).at(-1)?.address} . ${endpointPort}`;
  const after = `${endpoints(true).at(-1)?.address} . ${endpointPort}`;
  // "0:1 . 2 : 10.128.0.3 . 8080", wherever it stands in the list.
  const key = new RegExp(`([0-9a-f]+:[0-9a-f]+ \\. \\S+) : ${before.replaceAll('.', '\\.')}(?![0-9])`).exec(
    load,
  )?.[1];
  if (key === undefined) throw new RangeError(`There is no endpoint ${before} in the table`);
  const element = (verb: string, data: string) =>
    `${verb} element ip ${id.name} endpoints { ${key}${data} }\n`;
  return {
    name: 'nft -f, our layout',
    load,
    change: (moved) => element('delete', '') + element('add', ` : ${moved ? after : before}`),
    clear: `delete table ip ${id.name}\n`,
  };
}

const table = 'ip kube-proxy';
const key = 'type ipv4_addr . inet_proto . inet_service : verdict';

/** One chain a service, with an anonymous map of its endpoints. Without node ports and affinity, which the services do not have. */
export function kubeProxyLayout(amount: Amount): NftText {
  const lines = [...fixedLines];
  for (let number = 0; number < amount.services; number++) {
    const chain = chainOf(number);
    lines.push(
      `add chain ${table} ${chain}`,
      endpointRule(number, { amount }),
      `add element ${table} cluster-ips { ${serviceAddress(number)} }`,
      `add element ${table} service-ips { ${serviceAddress(number)} . tcp . ${servicePort} : goto ${chain} }`,
    );
  }
  return {
    name: "nft -f, kube-proxy's layout",
    load: `${lines.join('\n')}\n`,
    change: (moved) => `flush chain ${table} ${chainOf(0)}\n${endpointRule(0, { amount, moved })}\n`,
    clear: `delete table ${table}\n`,
  };
}

function endpointRule(number: number, state: SliceState): string {
  const endpoints = benchSlices(number, state).flatMap((slice) => slice.endpoints);
  const map = endpoints.map(({ address }, i) => `${i} : ${address} . ${endpointPort}`).join(', ');
  return `add rule ${table} ${chainOf(number)} meta l4proto tcp dnat ip addr . port to numgen random mod ${endpoints.length} map { ${map} }`;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** "service-ULMVA6XW-ns1/svc1/tcp/p80": eight characters of the name's SHA-256 in base32. */
export function serviceChainName(of: {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}): string {
  const text = `${of.namespace}/${of.name}/tcp/${of.port}`;
  const bits = createHash('sha256').update(text).digest().readBigUInt64BE(0);
  const hash = Array.from({ length: 8 }, (_, i) => alphabet[Number((bits >> BigInt(59 - 5 * i)) & 31n)]);
  return `service-${hash.join('')}-${text}`;
}

function chainOf(number: number): string {
  return serviceChainName({ ...benchService(number), port: 'http' });
}

const fixedLines: readonly string[] = [
  `add table ${table} { comment "rules for kube-proxy" ; }`,
  `add set ${table} cluster-ips { type ipv4_addr ; comment "Active ClusterIPs" ; }`,
  `add set ${table} nodeport-ips { type ipv4_addr ; }`,
  `add set ${table} hairpin-connections { type ipv4_addr . ipv4_addr . inet_proto . inet_service ; }`,
  `add map ${table} service-ips { ${key} ; comment "ClusterIP, ExternalIP and LoadBalancer IP traffic" ; }`,
  `add map ${table} service-nodeports { type inet_proto . inet_service : verdict ; comment "NodePort traffic" ; }`,
  `add map ${table} no-endpoint-services { ${key} ; }`,
  `add map ${table} no-endpoint-nodeports { type inet_proto . inet_service : verdict ; }`,
  `add map ${table} firewall-ips { ${key} ; }`,
  ...[
    'filter-prerouting-pre-dnat { type filter hook prerouting priority -110 ; }',
    'filter-output-pre-dnat { type filter hook output priority -110 ; }',
    'filter-input { type filter hook input priority 0 ; }',
    'filter-forward { type filter hook forward priority 0 ; }',
    'filter-output { type filter hook output priority 0 ; }',
    'nat-prerouting { type nat hook prerouting priority -100 ; }',
    'nat-output { type nat hook output priority -100 ; }',
    'nat-postrouting { type nat hook postrouting priority 100 ; }',
    'firewall-check',
    'nodeport-endpoints-check',
    'service-endpoints-check',
    'cluster-ips-check',
    'services',
    'masquerading',
    'reject-chain',
  ].map((chain) => `add chain ${table} ${chain}`),
  ...[
    'filter-prerouting-pre-dnat ct state new jump firewall-check',
    'filter-output-pre-dnat ct state new jump firewall-check',
    'filter-input ct state new jump nodeport-endpoints-check',
    'filter-input ct state new jump service-endpoints-check',
    'filter-forward ct state new jump service-endpoints-check',
    'filter-forward ct state new jump cluster-ips-check',
    'filter-output ct state new jump service-endpoints-check',
    'filter-output ct state new jump cluster-ips-check',
    'nat-prerouting jump services',
    'nat-output jump services',
    'nat-postrouting jump masquerading',
    'firewall-check ip daddr . meta l4proto . th dport vmap @firewall-ips',
    'nodeport-endpoints-check ip daddr @nodeport-ips meta l4proto . th dport vmap @no-endpoint-nodeports',
    'service-endpoints-check ip daddr . meta l4proto . th dport vmap @no-endpoint-services',
    'cluster-ips-check ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
    `services ip daddr @cluster-ips ip saddr != ${podNetwork} meta mark set meta mark or 0x4000`,
    'services ip daddr . meta l4proto . th dport vmap @service-ips',
    'services ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports',
    'masquerading meta mark & 0x4000 != 0 meta mark set meta mark xor 0x4000 masquerade fully-random',
    'masquerading ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random',
    'reject-chain reject',
  ].map((rule) => `add rule ${table} ${rule}`),
];
