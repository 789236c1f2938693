import { expect, test } from '@jest/globals';
import { parseIptablesSave } from '../../../kernel/iptables/save-text.ts';
import { Prefix } from '../../../net/prefix.ts';
import { attachmentFileName } from '../attachment.ts';
import type { PodRules } from '../pod-rules.ts';
import { type SavedTables, wholeChains, withoutPodLines, withPodLines } from './iptables-changes.ts';
import { podChains, podLines } from './iptables-rules.ts';
import { samplePod, samplePort } from './sample-pods.ts';

const web = samplePod('web', {
  ports: ['8080:80/tcp', '192.0.2.1=53:53/udp'].map(samplePort),
  masquerade: true,
});
const all = samplePod('all', {
  addresses: [Prefix.parse('10.244.1.6/24')],
  ports: [samplePort('9090:90/sctp')],
  portMasquerade: 'all',
});
const name = (rules: PodRules) => attachmentFileName(rules.attachment);
const [webName, allName] = [name(web), name(all)];

const nothing: SavedTables = new Map();
const saved = (text: string): SavedTables =>
  new Map([
    ['nat', parseIptablesSave(text, 'nat')],
    ['raw', parseIptablesSave(text, 'raw')],
  ]);
const withPod = (rules: PodRules, there: SavedTables, family: 4 | 6 = 4) =>
  withPodLines(podLines(family, rules), { family, holder: name(rules), saved: there });

/** As iptables-save has them once they are restored. */
const both = `*raw
:PREROUTING ACCEPT [0:0]
:NETLOOM-LOCALNET - [0:0]
-A PREROUTING -m comment --comment "netloom guard of 127.0.0.1" -j NETLOOM-LOCALNET
-A NETLOOM-LOCALNET -d 127.0.0.0/8 ! -i lo -m comment --comment cni0 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:NETLOOM-HOSTPORT - [0:0]
:NETLOOM-POD-MASQ - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-A OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-A POSTROUTING -m comment --comment "netloom pods" -j NETLOOM-POD-MASQ
-A NETLOOM-HOSTPORT -d 192.0.2.1/32 -p udp -m udp --dport 53 -m comment --comment ${webName} -j DNAT --to-destination 10.244.1.5:53
-A NETLOOM-HOSTPORT -p sctp -m sctp --dport 9090 -m comment --comment ${allName} -j DNAT --to-destination 10.244.1.6:90
-A NETLOOM-HOSTPORT -p tcp -m tcp --dport 8080 -m comment --comment ${webName} -j DNAT --to-destination 10.244.1.5:80
-A NETLOOM-POD-MASQ -d 224.0.0.0/4 -j RETURN
-A NETLOOM-POD-MASQ -d 10.244.1.6/32 -p sctp -m conntrack --ctstate DNAT --ctorigdstport 9090 -m sctp --dport 90 -m comment --comment ${allName} -j MASQUERADE
-A NETLOOM-POD-MASQ -s 10.244.1.0/24 -d 10.244.1.5/32 -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m tcp --dport 80 -m comment --comment ${webName} -j MASQUERADE
-A NETLOOM-POD-MASQ -s 127.0.0.0/8 -d 10.244.1.5/32 -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m tcp --dport 80 -m comment --comment ${webName} -j MASQUERADE
-A NETLOOM-POD-MASQ -s 10.244.1.0/24 -d 10.244.1.5/32 -p udp -m conntrack --ctstate DNAT --ctorigdstport 53 -m udp --dport 53 -m comment --comment ${webName} -j MASQUERADE
-A NETLOOM-POD-MASQ -s 127.0.0.0/8 -d 10.244.1.5/32 -p udp -m conntrack --ctstate DNAT --ctorigdstport 53 -m udp --dport 53 -m comment --comment ${webName} -j MASQUERADE
-A NETLOOM-POD-MASQ -s 10.244.1.5/32 ! -d 10.244.1.0/24 -m comment --comment ${webName} -j MASQUERADE
COMMIT
`;

test('the first pod makes chains, guard and jumps', () => {
  expect(withPod(all, nothing)).toBe(`*raw
:NETLOOM-LOCALNET - [0:0]
-A NETLOOM-LOCALNET -d 127.0.0.0/8 ! -i lo -m comment --comment cni0 -j DROP
-A PREROUTING -m comment --comment "netloom guard of 127.0.0.1" -j NETLOOM-LOCALNET
COMMIT
*nat
:NETLOOM-HOSTPORT - [0:0]
-A NETLOOM-HOSTPORT -p sctp -m sctp --dport 9090 -m comment --comment ${allName} -j DNAT --to-destination 10.244.1.6:90
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-A OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
:NETLOOM-POD-MASQ - [0:0]
-A NETLOOM-POD-MASQ -d 224.0.0.0/4 -j RETURN
-A NETLOOM-POD-MASQ -d 10.244.1.6/32 -p sctp -m conntrack --ctstate DNAT --ctorigdstport 9090 -m sctp --dport 90 -m comment --comment ${allName} -j MASQUERADE
-A POSTROUTING -m comment --comment "netloom pods" -j NETLOOM-POD-MASQ
COMMIT
`);
});

test('IPv6 leaves ::1 to the node and needs no guard', () => {
  const pod = { ...web, ports: [samplePort('8080:80/tcp')], masquerade: false };
  expect(withPod(pod, nothing, 6)).toBe(`*nat
:NETLOOM-HOSTPORT - [0:0]
-A NETLOOM-HOSTPORT -p tcp -m tcp --dport 8080 -m comment --comment ${webName} -j DNAT --to-destination [fd00:244:1::5]:80
-A PREROUTING ! -d ::1/128 -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-A OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
:NETLOOM-POD-MASQ - [0:0]
-A NETLOOM-POD-MASQ -d ff00::/8 -j RETURN
-A NETLOOM-POD-MASQ -s fd00:244:1::/64 -d fd00:244:1::5/128 -p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -m tcp --dport 80 -m comment --comment ${webName} -j MASQUERADE
-A POSTROUTING -m comment --comment "netloom pods" -j NETLOOM-POD-MASQ
COMMIT
`);
});

test('a later pod adds its lines, a port of one address before all others', () => {
  const later = samplePod('later', {
    ports: ['192.0.2.1=8080:1/tcp', '81:1/tcp'].map(samplePort),
    portMasquerade: 'none',
  });
  expect(withPod(later, saved(both))).toBe(`*nat
-I NETLOOM-HOSTPORT -d 192.0.2.1/32 -p tcp -m tcp --dport 8080 -m comment --comment ${name(later)} -j DNAT --to-destination 10.244.1.5:1
-A NETLOOM-HOSTPORT -p tcp -m tcp --dport 81 -m comment --comment ${name(later)} -j DNAT --to-destination 10.244.1.5:1
COMMIT
`);
});

test('what is there is left alone, what the pod has no more goes', () => {
  expect(withPod(web, saved(both))).toBeUndefined();
  expect(wholeChains(podChains(4, [web, all]), saved(both))).toBeUndefined();
  expect(wholeChains(podChains(4, [all, web]), saved(both))).toBeUndefined();
  expect(withPod({ ...web, masquerade: false }, saved(both))).toBe(`*nat
-D NETLOOM-POD-MASQ -s 10.244.1.5/32 ! -d 10.244.1.0/24 -m comment --comment ${webName} -j MASQUERADE
COMMIT
`);
});

test('removing takes the lines with the name, in one transaction', () => {
  expect(withoutPodLines(allName, saved(both))).toBe(`*nat
-D NETLOOM-HOSTPORT -p sctp -m sctp --dport 9090 -m comment --comment ${allName} -j DNAT --to-destination 10.244.1.6:90
-D NETLOOM-POD-MASQ -d 10.244.1.6/32 -p sctp -m conntrack --ctstate DNAT --ctorigdstport 9090 -m sctp --dport 90 -m comment --comment ${allName} -j MASQUERADE
COMMIT
`);
  expect(withoutPodLines('0'.repeat(32), saved(both))).toBeUndefined();
  expect(withoutPodLines(allName, nothing)).toBeUndefined();
});

test('what nobody needs goes with its chains, what is out of place is put right', () => {
  expect(wholeChains(podChains(4, []), saved(both))).toBe(`*raw
:NETLOOM-LOCALNET - [0:0]
-D PREROUTING -m comment --comment "netloom guard of 127.0.0.1" -j NETLOOM-LOCALNET
-X NETLOOM-LOCALNET
COMMIT
*nat
:NETLOOM-HOSTPORT - [0:0]
-D PREROUTING -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-D OUTPUT -m addrtype --dst-type LOCAL -m comment --comment "netloom published ports" -j NETLOOM-HOSTPORT
-X NETLOOM-HOSTPORT
:NETLOOM-POD-MASQ - [0:0]
-D POSTROUTING -m comment --comment "netloom pods" -j NETLOOM-POD-MASQ
-X NETLOOM-POD-MASQ
COMMIT
`);
  const twice = both.replace(
    /(-A POSTROUTING .*\n)/,
    (jump) => `${jump}${jump}-A POSTROUTING -j NETLOOM-POD-MASQ\n`,
  );
  expect(wholeChains(podChains(4, [web, all]), saved(twice))).toBe(`*nat
-D POSTROUTING -m comment --comment "netloom pods" -j NETLOOM-POD-MASQ
-D POSTROUTING -j NETLOOM-POD-MASQ
COMMIT
`);
  const late = both.replace(/(-A NETLOOM-HOSTPORT -d .*\n)((?:-A NETLOOM-HOSTPORT .*\n)+)/, '$2$1');
  const text = wholeChains(podChains(4, [web, all]), saved(late));
  expect(text?.split('\n').slice(0, 3)).toEqual([
    '*nat',
    ':NETLOOM-HOSTPORT - [0:0]',
    expect.stringContaining('-d 192.0.2.1/32'),
  ]);
});
