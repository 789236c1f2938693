// What every iptables driver must do: run on the fake by kernel/iptables/fake.test.ts and on the programs, nft and legacy, by
// test/kernel/iptables.test.ts.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createIptablesFirewall } from '../../agent/iptables-firewall.ts';
import { iptablesRestoreText, masqueradeChains } from '../../agent/masquerade-iptables.ts';
import { createIptablesPodFirewall } from '../../agent/wiring/rules/iptables-pod-firewall.ts';
import { samplePod, samplePort } from '../../agent/wiring/rules/sample-pods.ts';
import { builtinChains, iptablesTables } from '../../kernel/iptables/builtin-chains.ts';
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import type { Family } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { blockOf } from './arbitrary.ts';

/** Both families of one kernel that has no rules yet. */
export interface OpenIptables {
  readonly access: (family: Family) => IptablesAccess;
  readonly close: () => void;
}

/** kube-proxy's layout for a service with two endpoints and affinity, in the words that kube-proxy gives to iptables-restore. */
const kubeProxy = `*filter
:KUBE-SERVICES - [0:0]
:KUBE-EXTERNAL-SERVICES - [0:0]
:KUBE-FORWARD - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
-I INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES
-I INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS
-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A KUBE-SERVICES -m comment --comment "ns1/svc2:p80 has no endpoints" -m tcp -p tcp -d 172.30.0.42 --dport 80 -j REJECT
-A KUBE-EXTERNAL-SERVICES -m comment --comment "ns1/svc2:p80 has no local endpoints" -m addrtype --dst-type LOCAL -m tcp -p tcp --dport 3001 -j DROP
-A KUBE-NODEPORTS -m comment --comment "ns1/svc1:p80 health check node port" -m tcp -p tcp --dport 30000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x004000/0x004000 -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]
:KUBE-EXT-XPGD46QRK7WJZT7O - [0:0]
:KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]
:KUBE-SEP-ZX7GRIZKSNUQ3LAJ - [0:0]
-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x004000/0x004000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x004000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x004000
-A KUBE-SERVICES -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL ! -d 127.0.0.0/8 -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -m comment --comment ns1/svc1:p80 -m tcp -p tcp --dport 3001 -j KUBE-EXT-XPGD46QRK7WJZT7O
-A KUBE-EXT-XPGD46QRK7WJZT7O -m comment --comment "masquerade traffic for ns1/svc1:p80 external destinations" -j KUBE-MARK-MASQ
-A KUBE-EXT-XPGD46QRK7WJZT7O -j KUBE-SVC-XPGD46QRK7WJZT7O
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m recent --name KUBE-SEP-SXIVWICOYRO3J4NJ --rcheck --seconds 10800 --reap -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.1:80" -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-SXIVWICOYRO3J4NJ
-A KUBE-SVC-XPGD46QRK7WJZT7O -m comment --comment "ns1/svc1:p80 -> 10.180.0.2:80" -j KUBE-SEP-ZX7GRIZKSNUQ3LAJ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-SXIVWICOYRO3J4NJ -m comment --comment ns1/svc1:p80 -m recent --name KUBE-SEP-SXIVWICOYRO3J4NJ --set -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SEP-ZX7GRIZKSNUQ3LAJ -m comment --comment ns1/svc1:p80 -s 10.180.0.2 -j KUBE-MARK-MASQ
-A KUBE-SEP-ZX7GRIZKSNUQ3LAJ -m comment --comment ns1/svc1:p80 -m tcp -p tcp -j DNAT --to-destination 10.180.0.2:80
COMMIT
`;

const kubeProxy6 = kubeProxy
  .replaceAll('172.30.0.', 'fd00:172:30::')
  .replaceAll(/10\.180\.0\.(\d):80$/gm, '[fd00:10:180::$1]:80')
  .replaceAll('10.180.0.', 'fd00:10:180::')
  .replaceAll('10.0.0.0/8', 'fd00:10::/32')
  .replaceAll('127.0.0.0/8', '::1/128');

/** Each is refused, and the table stays as it was. */
const refusedTexts: readonly (readonly [string, string])[] = [
  ['a jump to nowhere', '*nat\n:A - [0:0]\n-A A -j NOWHERE\nCOMMIT\n'],
  ['a jump to a chain declared later', '*nat\n:A - [0:0]\n-A A -j B\n:B - [0:0]\nCOMMIT\n'],
  ['a jump to a built-in chain', '*filter\n-A INPUT -j FORWARD\nCOMMIT\n'],
  ['a rule for a chain that is not there', '*filter\n-A NOWHERE -j ACCEPT\nCOMMIT\n'],
  ['a loop', '*filter\n:A - [0:0]\n:B - [0:0]\n-A A -j B\n-A B -j A\n-A INPUT -j A\nCOMMIT\n'],
  ['-X of a chain with rules', '*nat\n:A - [0:0]\n-A A -j ACCEPT\n-X A\nCOMMIT\n'],
  ['-X of a chain that is led to', '*nat\n:A - [0:0]\n:B - [0:0]\n-A A -g B\n-X B\nCOMMIT\n'],
  ['-X of a built-in chain', '*filter\n-X INPUT\nCOMMIT\n'],
  ['-X of nothing', '*filter\n-X NOWHERE\nCOMMIT\n'],
  ['-F of nothing', '*filter\n-F NOWHERE\nCOMMIT\n'],
  ['-N of what is there', '*filter\n-N A\n-N A\nCOMMIT\n'],
  ['-D of a rule that is not there', '*nat\n:A - [0:0]\n-A A -p tcp\n-D A -p udp\nCOMMIT\n'],
  ['-D of a number too big', '*nat\n:A - [0:0]\n-A A -p tcp\n-D A 2\nCOMMIT\n'],
  ['-I at 0', '*nat\n:A - [0:0]\n-I A 0 -p tcp\nCOMMIT\n'],
  ['a long name', '*nat\n:A2345678901234567890123456789 - [0:0]\nCOMMIT\n'],
  ['a chain named as a target', '*nat\n:ACCEPT - [0:0]\nCOMMIT\n'],
  ['an unknown table', '*bogus\nCOMMIT\n'],
  ['an unknown option', '*nat\n-A PREROUTING --zzz\nCOMMIT\n'],
  ['a declaration without a policy', '*nat\n:A\nCOMMIT\n'],
  ['no COMMIT', '*nat\n:A - [0:0]\n'],
  ['a table in a table', '*nat\n:A - [0:0]\n*filter\nCOMMIT\n'],
  ['no table', ':A - [0:0]\nCOMMIT\n'],
  ['DROP in nat', '*nat\n-A PREROUTING -j DROP\nCOMMIT\n'],
  ['DNAT in filter', '*filter\n-A INPUT -p tcp -j DNAT --to-destination 10.0.0.1\nCOMMIT\n'],
  [
    'DNAT below POSTROUTING',
    '*nat\n:A - [0:0]\n-A A -j DNAT --to-destination 10.0.0.1\n-A POSTROUTING -j A\nCOMMIT\n',
  ],
  ['MASQUERADE below OUTPUT', '*nat\n:A - [0:0]\n-A OUTPUT -j A\n-A A -j MASQUERADE\nCOMMIT\n'],
  ['REJECT in raw', '*raw\n:A - [0:0]\n-A A -j REJECT\nCOMMIT\n'],
  ['a reset of what is not TCP', '*filter\n-A INPUT -p udp -j REJECT --reject-with tcp-reset\nCOMMIT\n'],
  ['a reset of anything', '*filter\n:A - [0:0]\n-A A -j REJECT --reject-with tcp-reset\nCOMMIT\n'],
  ['REJECT in mangle', '*mangle\n-A OUTPUT -j REJECT\nCOMMIT\n'],
  ['a set that is not there', '*filter\n-A INPUT -m set --match-set NETLOOM-NONE dst -j DROP\nCOMMIT\n'],
  ['-o in INPUT', '*filter\n-A INPUT -o eth0\nCOMMIT\n'],
  ['-i in POSTROUTING', '*nat\n-A POSTROUTING -i eth0\nCOMMIT\n'],
  ['a DNAT port without a protocol', '*nat\n-A PREROUTING -j DNAT --to-destination 10.0.0.1:80\nCOMMIT\n'],
];

/** `runs`: how many arbitrary sequences; the programs take some 10 ms a call. */
export function iptablesDriverSuite(open: () => OpenIptables, { runs }: { readonly runs: number }): void {
  let opened: OpenIptables;
  beforeEach(() => {
    opened = open();
  });
  afterEach(() => opened.close());

  async function saved(access: IptablesAccess) {
    return Promise.all(iptablesTables.map((table) => access.save(table)));
  }

  describe.each([4, 6] as const)('IPv%i', (family) => {
    test('has the built-in chains', async () => {
      for (const table of iptablesTables) {
        expect(await opened.access(family).save(table)).toEqual({
          name: table,
          chains: new Map(builtinChains[table].map((chain) => [chain, 'ACCEPT'])),
          rules: [],
        });
      }
    });

    test("takes kube-proxy's layout, twice, and prints what the fake prints", async () => {
      const text = family === 4 ? kubeProxy : kubeProxy6;
      const fake = new FakeIptablesKernel().access(family);
      const access = opened.access(family);
      for (const one of [access, fake]) {
        await one.restore(text, { counters: true });
        await one.restore(text.replaceAll(/^-I .*\n/gm, ''));
      }
      expect(await saved(access)).toEqual(await saved(fake));
    });

    test('arbitrary restores leave what they leave in the fake, and what one refuses the other refuses', async () => {
      let refused = 0;
      let done = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            ...iptablesTables.map((table) =>
              fc.tuple(fc.constant(table), fc.array(blockOf(family, table), { minLength: 1, maxLength: 6 })),
            ),
          ),
          async ([table, texts]) => {
            const access = opened.access(family);
            const fake = new FakeIptablesKernel().access(family);
            await access.restore(emptied(table));
            for (const text of texts) {
              const results = await Promise.allSettled([access.restore(text), fake.restore(text)]);
              const [real, faked] = results.map((result) => describeResult(result));
              expect(`${text}${real}`).toBe(`${text}${faked}`);
              if (real === 'done') done += 1;
              else refused += 1;
              expect(await access.save(table)).toEqual(await fake.save(table));
            }
          },
        ),
        { numRuns: runs },
      );
      // Both must have been seen, or the property says nothing.
      expect(Math.min(done, refused)).toBeGreaterThan(0);
    });
  });

  test.each(refusedTexts)('refuses %s', async (_name, text) => {
    const access = opened.access(4);
    await expect(access.restore(text)).rejects.toThrow(/Cannot run "iptables[a-z-]*-restore/);
    for (const table of await saved(access)) {
      expect(table.rules).toEqual([]);
      expect([...table.chains.keys()]).toEqual(builtinOf(table.name));
    }
  });

  test('keeps the blocks that went before the one it refuses', async () => {
    const access = opened.access(4);
    const text = '*nat\n:A - [0:0]\nCOMMIT\n*filter\n:A - [0:0]\n-A A -j NOWHERE\nCOMMIT\n';
    await expect(access.restore(text)).rejects.toThrow(/NOWHERE/);
    expect((await access.save('nat')).chains.get('A')).toBe('-');
    expect((await access.save('filter')).chains.has('A')).toBe(false);
  });

  test('says which line it refuses', async () => {
    const text = '*filter\n-D FORWARD -p udp\nCOMMIT\n';
    await expect(opened.access(4).restore(text)).rejects.toThrow(/line 2 is "-D FORWARD -p udp"/);
  });

  test('a declared chain is emptied, as often as it is declared; a built-in one keeps its rules', async () => {
    const access = opened.access(4);
    await access.restore('*filter\n:A - [0:0]\n-A A -p tcp\n-A INPUT -j A\n-A FORWARD -p tcp\nCOMMIT\n');
    await access.restore(
      '# again\n\n*filter\n:FORWARD DROP [0:0]\n:A - [0:0]\n-A A -p tcp\n:A - [0:0]\n[1:2] -A A -p udp\nCOMMIT\n',
    );
    const { chains, rules } = await access.save('filter');
    expect(rules).toEqual(['-A INPUT -j A', '-A FORWARD -p tcp', '-A A -p udp']);
    expect(chains.get('FORWARD')).toBe('DROP');
  });

  test('the families are apart', async () => {
    await opened.access(4).restore('*filter\n-A INPUT -p tcp\nCOMMIT\n');
    expect((await opened.access(6).save('filter')).rules).toEqual([]);
  });

  test("the agent's masquerading is taken, is found right, and goes", async () => {
    const firewall = createIptablesFirewall({ access: opened.access });
    const wanted = { randomFully: true, forward: true, families: [family4, family6] };
    const options = { signal: new AbortController().signal, thorough: true };
    expect(await firewall.ensure(wanted, options)).toHaveLength(4);
    expect(await firewall.ensure(wanted, options)).toEqual([]);
    const tables = new Map((await saved(opened.access(4))).map((table) => [table.name, table]));
    expect(iptablesRestoreText(masqueradeChains(family4, wanted), tables)).toBeUndefined();
    expect(await firewall.ensure(undefined, options)).toHaveLength(4);
    expect((await saved(opened.access(4))).flatMap(({ rules }) => rules)).toEqual([]);
  });

  test("pods' rules are taken, are found right, and go", async () => {
    const firewall = createIptablesPodFirewall({
      access: opened.access,
      localnet: { isOn: () => true, switch: () => undefined },
    });
    const pod = samplePod('web', {
      backend: 'iptables',
      addresses: ['10.244.1.5/24', 'fd00:10:244:1::5/64'].map((text) => Prefix.parse(text)),
      ports: ['8080:80/tcp', '192.0.2.9=53:53/udp', '5000:5000/sctp'].map(samplePort),
      masquerade: true,
    });
    await firewall.add(pod);
    expect(await firewall.check(pod)).toEqual([]);
    expect(await firewall.ensure([pod])).toEqual([]);
    await firewall.remove(pod);
    expect(await firewall.ensure([])).not.toEqual([]);
    expect((await saved(opened.access(4))).flatMap(({ rules }) => rules)).toEqual([]);
  });
}

const family4 = {
  family: 4,
  network: Prefix.parse('10.244.0.0/16'),
  subnet: Prefix.parse('10.244.1.0/24'),
  exclude: [Prefix.parse('192.0.2.0/24')],
} as const;

const family6 = {
  family: 6,
  network: Prefix.parse('fd00:10:244::/48'),
  subnet: Prefix.parse('fd00:10:244:1::/64'),
  exclude: [],
} as const;

function builtinOf(name: string): readonly string[] {
  return Object.entries(builtinChains).find(([table]) => table === name)?.[1] ?? [];
}

/** Also takes policies back. */
function emptied(table: keyof typeof builtinChains): string {
  const policies = builtinChains[table].map((chain) => `:${chain} ACCEPT [0:0]\n`).join('');
  return `*${table}\n${policies}-F\n-X\nCOMMIT\n`;
}

function describeResult(result: PromiseSettledResult<void>): string {
  return result.status === 'fulfilled' ? 'done' : 'refused';
}
