import { describe, expect, test } from '@jest/globals';
import type { RuleContext } from '../rule-context.ts';
import { type SamplePortFields, samplePort } from '../sample-services.ts';
import { places } from './place.ts';
import { sampleContext } from './sample-context.ts';
import { portRules } from './service-rules.ts';

/** What one port is, as an operator reads it: lines in shared chains with their table, then the chains of its own. */
function textOf(
  fields: SamplePortFields,
  options: { readonly context?: Partial<RuleContext>; readonly comments?: boolean } = {},
): string {
  const family = fields.family ?? 4;
  const { chains, shared } = portRules(
    samplePort({ namespace: 'ns1', service: 'svc1', portName: 'p80', clusterIp: '172.30.0.41', ...fields }),
    { context: sampleContext({ family, ...options.context }), comments: options.comments ?? true },
  );
  return [
    ...shared.map(({ place, line }) => `${places[place].table}: -A ${places[place].chain} ${line}`),
    ...[...chains].flatMap(([chain, lines]) => lines.map((line) => `-A ${chain} ${line}`)),
    '',
  ].join('\n');
}

describe('portRules', () => {
  test('no endpoints: refused wherever it can be reached', () => {
    expect(
      textOf({
        externalIps: ['192.168.99.11'],
        loadBalancerIps: ['1.2.3.4'],
        sourceRanges: ['10.0.0.0/8'],
        nodePort: 3001,
      }),
    ).toBe(`filter: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j REJECT
filter: -A KUBE-EXTERNAL-SERVICES -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp -p tcp -d 192.168.99.11 --dport 80 -j REJECT
filter: -A KUBE-EXTERNAL-SERVICES -m comment --comment "ns1/svc1:p80 has no endpoints" -m tcp -p tcp -d 1.2.3.4 --dport 80 -j REJECT
filter: -A KUBE-EXTERNAL-SERVICES -m comment --comment "ns1/svc1:p80 has no endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 3001 -j REJECT
`);
  });

  test('affinity among three endpoints, UDP, no port name', () => {
    expect(
      textOf({
        portName: '',
        protocol: 'udp',
        port: 53,
        affinitySeconds: 60,
        clusterEndpoints: ['10.180.0.1:53', '10.180.0.2:53', '10.180.0.3:53'],
      }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1 cluster IP" -m udp -p udp -d 172.30.0.41 --dport 53 -j KUBE-SVC-A2PEVXD55OHK2IVW
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 cluster IP" -m udp -p udp -d 172.30.0.41 --dport 53 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.1:53" -m recent --name KUBE-SEP-WOVZ7FYWLOFVMYSJ --rcheck --seconds 60 --reap -j KUBE-SEP-WOVZ7FYWLOFVMYSJ
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.2:53" -m recent --name KUBE-SEP-BKAHDV2EJTYFCCPZ --rcheck --seconds 60 --reap -j KUBE-SEP-BKAHDV2EJTYFCCPZ
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.3:53" -m recent --name KUBE-SEP-6E2FAIPVQ6GRRDRL --rcheck --seconds 60 --reap -j KUBE-SEP-6E2FAIPVQ6GRRDRL
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.1:53" -m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-WOVZ7FYWLOFVMYSJ
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.2:53" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-BKAHDV2EJTYFCCPZ
-A KUBE-SVC-A2PEVXD55OHK2IVW -m comment --comment "ns1/svc1 -> 10.180.0.3:53" -j KUBE-SEP-6E2FAIPVQ6GRRDRL
-A KUBE-SEP-WOVZ7FYWLOFVMYSJ -m comment --comment ns1/svc1 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-WOVZ7FYWLOFVMYSJ -m comment --comment ns1/svc1 -m recent --name KUBE-SEP-WOVZ7FYWLOFVMYSJ --set -m udp -p udp -j DNAT --to-destination 10.180.0.1:53
-A KUBE-SEP-BKAHDV2EJTYFCCPZ -m comment --comment ns1/svc1 -s 10.180.0.2 -j KUBE-MARK-MASQ
-A KUBE-SEP-BKAHDV2EJTYFCCPZ -m comment --comment ns1/svc1 -m recent --name KUBE-SEP-BKAHDV2EJTYFCCPZ --set -m udp -p udp -j DNAT --to-destination 10.180.0.2:53
-A KUBE-SEP-6E2FAIPVQ6GRRDRL -m comment --comment ns1/svc1 -s 10.180.0.3 -j KUBE-MARK-MASQ
-A KUBE-SEP-6E2FAIPVQ6GRRDRL -m comment --comment ns1/svc1 -m recent --name KUBE-SEP-6E2FAIPVQ6GRRDRL --set -m udp -p udp -j DNAT --to-destination 10.180.0.3:53
`);
  });

  test('external policy Local with an endpoint here, one elsewhere and one that terminates here', () => {
    expect(
      textOf({
        nodePort: 3001,
        externalPolicy: 'Local',
        clusterEndpoints: ['10.180.0.1:80', '10.180.1.1:80'],
        localEndpoints: ['10.180.0.1:80', '10.180.0.9:80'],
      }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
nat: -A KUBE-NODEPORTS -m comment --comment ns1/svc1:p80 -m tcp -p tcp --dport 3001 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "pod traffic for ns1/svc1:p80 external destinations" -s 10.0.0.0/8 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "masquerade LOCAL traffic for ns1/svc1:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "route LOCAL traffic for ns1/svc1:p80 external destinations" -m addrtype --src-type LOCAL -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -j KUBE-SVL-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.1.1:80" -j KUBE-SEP-TOIS5JUHRKSSXDL7
-A KUBE-SVL-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVL-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.9:80" -j KUBE-SEP-NCL6FYGPWRSR7RFS
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SEP-TOIS5JUHRKSSXDL7 -m comment --comment ns1/svc1:p80 -s 10.180.1.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-TOIS5JUHRKSSXDL7 -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.1.1:80
-A KUBE-SEP-NCL6FYGPWRSR7RFS -m comment --comment ns1/svc1:p80 -s 10.180.0.9 -j KUBE-MARK-MASQ
-A KUBE-SEP-NCL6FYGPWRSR7RFS -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.0.9:80
`);
  });

  test('internal policy Local: drop without an endpoint here', () => {
    expect(textOf({ internalPolicy: 'Local', hasAnyEndpoint: true })).toBe(
      'filter: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 has no local endpoints" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j DROP\n',
    );
  });

  test('internal policy Local with an endpoint here; outsiders go anywhere', () => {
    expect(
      textOf({
        internalPolicy: 'Local',
        nodePort: 3001,
        clusterEndpoints: ['10.180.0.1:80', '10.180.1.1:80'],
        localEndpoints: ['10.180.0.1:80'],
      }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVL-XPGD46QRK7WJZT7O
nat: -A KUBE-NODEPORTS -m comment --comment ns1/svc1:p80 -m tcp -p tcp --dport 3001 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-XPGD46QRK7WJZT7O -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.1.1:80" -j KUBE-SEP-TOIS5JUHRKSSXDL7
-A KUBE-SVL-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVL-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SEP-TOIS5JUHRKSSXDL7 -m comment --comment ns1/svc1:p80 -s 10.180.1.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-TOIS5JUHRKSSXDL7 -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.1.1:80
`);
  });

  test("source ranges that hold the node's address let the balancer's own address in", () => {
    expect(
      textOf({
        loadBalancerIps: ['1.2.3.4', '1.2.3.5'],
        sourceRanges: ['192.168.0.0/24', '203.0.113.0/25'],
        clusterEndpoints: ['10.180.0.1:80'],
      }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 loadbalancer IP" -m tcp -p tcp -d 1.2.3.4 --dport 80 -j KUBE-FW-XPGD46QRK7WJZT7O
filter: -A KUBE-PROXY-FIREWALL -m comment --comment "ns1/svc1:p80 traffic not accepted by KUBE-FW-XPGD46QRK7WJZT7O" -m tcp -p tcp -d 1.2.3.4 --dport 80 -j DROP
nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 loadbalancer IP" -m tcp -p tcp -d 1.2.3.5 --dport 80 -j KUBE-FW-XPGD46QRK7WJZT7O
filter: -A KUBE-PROXY-FIREWALL -m comment --comment "ns1/svc1:p80 traffic not accepted by KUBE-FW-XPGD46QRK7WJZT7O" -m tcp -p tcp -d 1.2.3.5 --dport 80 -j DROP
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-XPGD46QRK7WJZT7O -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-FW-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 loadbalancer IP" -s 192.168.0.0/24 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-FW-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 loadbalancer IP" -s 203.0.113.0/25 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-FW-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 loadbalancer IP" -s 1.2.3.4 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-FW-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 loadbalancer IP" -s 1.2.3.5 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-FW-XPGD46QRK7WJZT7O -m comment --comment "other traffic to ns1/svc1:p80 will be dropped by KUBE-PROXY-FIREWALL"
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:80
`);
  });

  test('IPv6', () => {
    expect(
      textOf({
        family: 6,
        clusterIp: 'fd00:172:30::41',
        externalIps: ['2001:db8::1'],
        clusterEndpoints: ['[fd00:10:244::5]:80', '[fd00:10:244::6]:80'],
      }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d fd00:172:30::41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 external IP" -m tcp -p tcp -d 2001:db8::1 --dport 80 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-XPGD46QRK7WJZT7O -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d fd00:172:30::41 --dport 80 ! -s fd00:10::/32 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> [fd00:10:244::5]:80" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-JR6YXXN6Y3V4FLYE
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> [fd00:10:244::6]:80" -j KUBE-SEP-6KZ36MBX3U653TOJ
-A KUBE-SEP-JR6YXXN6Y3V4FLYE -m comment --comment ns1/svc1:p80 -s fd00:10:244::5 -j KUBE-MARK-MASQ
-A KUBE-SEP-JR6YXXN6Y3V4FLYE -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination [fd00:10:244::5]:80
-A KUBE-SEP-6KZ36MBX3U653TOJ -m comment --comment ns1/svc1:p80 -s fd00:10:244::6 -j KUBE-MARK-MASQ
-A KUBE-SEP-6KZ36MBX3U653TOJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination [fd00:10:244::6]:80
`);
  });

  test('a large cluster does without comments for endpoints', () => {
    expect(
      textOf({ clusterEndpoints: ['10.180.0.1:80', '10.180.0.2:80'] }, { comments: false }),
    ).toBe(`nat: -A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -j KUBE-SEP-LXVODXWDISEETFEF
-A KUBE-SEP-SXIVWICOYRO3J4NJ -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SEP-LXVODXWDISEETFEF -s 10.180.0.2 -j KUBE-MARK-MASQ
-A KUBE-SEP-LXVODXWDISEETFEF -m tcp -p tcp -j DNAT --to-destination 10.180.0.2:80
`);
  });

  const masquerade = /-A KUBE-SVC-\S+ .*"ns1\/svc1:p80 cluster IP" (.*)$/m;
  test.each<readonly [string, Partial<RuleContext>, string | undefined]>([
    ['everything', { masqueradeAll: true }, '-m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-MARK-MASQ'],
    [
      'by bridge',
      { localDetector: { kind: 'bridge', link: 'cni0' } },
      '-m tcp -p tcp -d 172.30.0.41 --dport 80 ! -i cni0 -j KUBE-MARK-MASQ',
    ],
    [
      "by start of a link's name",
      { localDetector: { kind: 'link-prefix', prefix: 'veth' } },
      '-m tcp -p tcp -d 172.30.0.41 --dport 80 ! -i veth+ -j KUBE-MARK-MASQ',
    ],
    ['not configured', { localDetector: { kind: 'none' } }, undefined],
  ])('masquerade: %s', (_, context, line) => {
    expect(masquerade.exec(textOf({ clusterEndpoints: ['10.180.0.1:80'] }, { context }))?.[1]).toBe(line);
  });

  test('without a detector pods are not told from others', () => {
    const text = textOf(
      { nodePort: 3001, externalPolicy: 'Local', clusterEndpoints: ['10.180.0.1:80'] },
      { context: { localDetector: { kind: 'none' } } },
    );
    expect(text).not.toContain('pod traffic');
    expect(text).toContain('route LOCAL traffic');
  });

  test.each(['a"b', 'a\nb', 'a b', '-a', ''])('refuses the name %j', (namespace) => {
    expect(() => textOf({ namespace, service: 'x' })).toThrow(/cannot stand in a rule/);
  });
});
