// Rules that ask sets, as iptables-nft and -legacy take and print them on a real kernel, beside the fake.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { execute } from '../../kernel/exec.ts';
import { openIpset } from '../../kernel/ipset/driver.ts';
import { FakeIpsetKernel } from '../../kernel/ipset/fake.ts';
import { type Ipset, ipsetTypes } from '../../kernel/ipset/objects.ts';
import { openIptables } from '../../kernel/iptables/driver.ts';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { ruleLine } from '../../kernel/iptables/rule-text.ts';
import { variantFault } from '../../kernel/iptables/variants.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { ruleOf } from '../iptables/arbitrary.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

refuseRoot();

const sets = ipsetTypes.flatMap((type) =>
  ([4, 6] as const).map(
    (family): Ipset => ({
      name: `KUBE-${family}-${type.replaceAll(/\W/g, '-')}`,
      type,
      family,
      maxElements: type === 'bitmap:port' ? undefined : 64,
    }),
  ),
);

function namesOf(family: 4 | 6): readonly string[] {
  return sets.filter((set) => set.type === 'bitmap:port' || set.family === family).map(({ name }) => name);
}

/** What IPVS mode of the proxy asks, as both variants print it. */
const canonical = (family: 4 | 6) => `*mangle
:KUBE-PROXY-FIREWALL - [0:0]
-A OUTPUT -m set --match-set KUBE-${family}-hash-ip-port dst,dst -m conntrack --ctstate NEW -j KUBE-PROXY-FIREWALL
-A KUBE-PROXY-FIREWALL -m set --match-set KUBE-${family}-hash-ip-port-net dst,dst,src -j RETURN
-A KUBE-PROXY-FIREWALL -j DROP
COMMIT
*nat
:KUBE-SERVICES - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "hairpin" -m set --match-set KUBE-${family}-hash-ip-port-ip dst,dst,src -j MASQUERADE
-A KUBE-SERVICES -m set --match-set KUBE-${family}-hash-ip-port src,dst -j RETURN
-A KUBE-SERVICES -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT
-A KUBE-SERVICES -p tcp -m set ! --match-set KUBE-${family}-bitmap-port dst -j ACCEPT
COMMIT
*filter
-A INPUT -p tcp -m set --match-set KUBE-${family}-hash-ip-port dst,dst -m conntrack --ctstate NEW -j REJECT --reject-with tcp-reset
-A INPUT -m set --match-set KUBE-${family}-hash-ip dst -m conntrack --ctstate NEW -j REJECT --reject-with ${family === 4 ? 'icmp' : 'icmp6'}-port-unreachable
COMMIT
`;

const faults = await Promise.all(
  (['nft', 'legacy'] as const).map(async (variant) => [variant, await variantFault(variant)] as const),
);

/** Why rules that ask IPVS cannot be tried: kernels may lack it. */
const ipvsFaults = new Map(
  await Promise.all(faults.map(async ([variant]) => [variant, await faultOfIpvs(variant)] as const)),
);

async function faultOfIpvs(variant: 'nft' | 'legacy'): Promise<string | undefined> {
  try {
    await execute(['unshare', '--net', '--', `iptables-${variant}`, '-A', 'INPUT', '-m', 'ipvs', '--ipvs']);
    return undefined;
  } catch (error) {
    return errorMessage(error).split('\n')[0];
  }
}

function because(fault: string | undefined): string {
  return fault === undefined ? '' : `: ${fault}`;
}

describe.each(faults.flatMap(([variant, fault]) => (fault === undefined ? [variant] : [])))(
  'iptables-%s',
  (variant) => {
    let place: TestNetns;

    beforeEach(() => {
      place = testNetns();
      const access = openIpset({ netns: place.netns });
      const made = access.apply(sets.map((set) => ({ kind: 'set-create', set })));
      access.close();
      expect(made.map(({ error }) => error)).toEqual(sets.map(() => undefined));
    });
    afterEach(() => place[Symbol.dispose]());

    function both(family: 4 | 6) {
      const fakeSets = new FakeIpsetKernel();
      fakeSets.access().apply(sets.map((set) => ({ kind: 'set-create', set })));
      return {
        real: openIptables({ family, netns: place.netns, variant }),
        fake: new FakeIptablesKernel({ sets: fakeSets }).access(family),
      };
    }

    test.each([4, 6] as const)('takes and prints the rules of IPVS mode: IPv%i', async (family) => {
      const { real, fake } = both(family);
      for (const one of [real, fake]) {
        await one.restore(canonical(family));
        const tables = await Promise.all(['mangle', 'nat', 'filter'].map((table) => one.save(table)));
        const printed = tables
          .flatMap(({ rules }) => rules)
          .map((line) => line.replaceAll('"hairpin"', 'hairpin'));
        const given = canonical(family).replaceAll('"hairpin"', 'hairpin').split('\n');
        expect(printed).toEqual(given.filter((line) => line.startsWith('-A')));
      }
    });

    test.each([4, 6] as const)('any rule prints as the fake prints it: IPv%i', async (family) => {
      const { real, fake } = both(family);
      const rules = fc.array(ruleOf({ family, table: 'filter', chains: ['A'], sets: namesOf(family) }), {
        minLength: 1,
        maxLength: 12,
      });
      await fc.assert(
        fc.asyncProperty(rules, async (some) => {
          const text = `*filter\n:A - [0:0]\n:B - [0:0]\n${some.map((rule) => ruleLine('B', rule)).join('\n')}\nCOMMIT\n`;
          await real.restore(text);
          await fake.restore(text);
          expect(await real.save('filter')).toEqual(await fake.save('filter'));
        }),
        { numRuns: 15 },
      );
    });

    test.each([
      ['no set', 4, 'KUBE-NONE dst'],
      ["a set of the other family's addresses", 4, 'KUBE-6-hash-ip dst'],
      ["a set of the other family's addresses", 6, 'KUBE-4-hash-ip dst'],
      ['too many parts', 4, 'KUBE-4-hash-ip dst,dst,dst,dst,dst,dst,dst'],
      ['a part that is none', 4, 'KUBE-4-hash-ip dst,any'],
    ] as const)('refuses, as does the fake: %s, IPv%i', async (_, family, words) => {
      for (const one of Object.values(both(family))) {
        const text = `*filter\n-A INPUT -m set --match-set ${words} -j DROP\nCOMMIT\n`;
        await expect(one.restore(text)).rejects.toThrow(/restore/);
        expect((await one.save('filter')).rules).toEqual([]);
      }
    });

    (ipvsFaults.get(variant) === undefined ? test : test.skip)(
      `match ipvs${because(ipvsFaults.get(variant))}`,
      async () => {
        const { real, fake } = both(4);
        for (const one of [real, fake]) {
          await one.restore(
            '*filter\n-A INPUT -s 192.0.2.1 -m ipvs --vport 80 --vproto tcp --vaddr 192.0.2.1/32 -j DROP\n-A INPUT -m ipvs ! --vaddr 10.0.0.0/8\n-A INPUT -m ipvs ! --ipvs -j ACCEPT\nCOMMIT\n',
          );
          expect((await one.save('filter')).rules).toEqual([
            '-A INPUT -s 192.0.2.1/32 -m ipvs --vproto 6 --vaddr 192.0.2.1 --vport 80 -j DROP',
            '-A INPUT -m ipvs ! --vaddr 10.0.0.0/8',
            '-A INPUT -m ipvs ! --ipvs -j ACCEPT',
          ]);
        }
      },
    );
  },
);
