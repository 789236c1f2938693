// Flows and filters in the operator's language: as conntrack(8) prints and takes them.
import type { Flow, FlowFilter, FlowTuple } from './objects.ts';

const names: ReadonlyMap<number, string> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
  [33, 'dccp'],
  [47, 'gre'],
  [58, 'icmpv6'],
  [132, 'sctp'],
  [136, 'udplite'],
]);

function words(parts: readonly (readonly [name: string, value: unknown])[], between: string): string {
  return parts
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}${between}${value}`]))
    .join(' ');
}

function tupleText({ source, destination, sourcePort, destinationPort, icmp }: FlowTuple): string {
  return words(
    [
      ['src', source],
      ['dst', destination],
      ['sport', sourcePort],
      ['dport', destinationPort],
      ['type', icmp?.type],
      ['code', icmp?.code],
      ['id', icmp?.id],
    ],
    '=',
  );
}

/** "udp src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=53 src=10.1.0.2 dst=192.0.2.9 sport=53 dport=40000" */
export function flowText({ protocol, original, reply, mark }: Flow): string {
  const text = `${names.get(protocol) ?? protocol} ${tupleText(original)} ${tupleText(reply)}`;
  return mark === 0 ? text : `${text} mark=${mark}`;
}

/** "-p udp --orig-dst 192.0.2.1 --orig-port-dst 53"; "" for the filter that means every flow. */
export function filterText({ family, protocol, original, reply }: FlowFilter): string {
  return words(
    [
      ['-f', family && `ipv${family}`],
      ['-p', protocol && (names.get(protocol) ?? protocol)],
      ['--orig-dst', original?.destination],
      ['--orig-port-dst', original?.destinationPort],
      ['--reply-src', reply?.source],
      ['--reply-port-src', reply?.sourcePort],
    ],
    ' ',
  );
}
