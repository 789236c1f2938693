// The driver's suite on the programs, nft and legacy, and what tells them apart.
import { describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { openIptables } from '../../kernel/iptables/driver.ts';
import { hasLegacyTables, legacyTables } from '../../kernel/iptables/legacy-tables.ts';
import { iptablesVariants, savedByAnyVariant, variantFault } from '../../kernel/iptables/variants.ts';
import { iptablesDriverSuite } from '../iptables/driver-suite.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';

refuseRoot();

const faults = new Map(
  await Promise.all(
    (['nft', 'legacy'] as const).map(async (variant) => [variant, await variantFault(variant)] as const),
  ),
);

for (const [variant, fault] of faults) {
  if (fault !== undefined) {
    test.skip(`iptables-${variant}: ${fault}`, () => undefined);
    continue;
  }
  describe(`iptables-${variant}`, () => {
    iptablesDriverSuite(
      () => {
        const netns = testNetns();
        return {
          access: (family) => openIptables({ family, netns: netns.netns, variant }),
          close: () => netns[Symbol.dispose](),
        };
      },
      { runs: 15 },
    );

    test('what it makes is found, and by asking nothing is made', async () => {
      using made = testNetns();
      const { netns } = made;
      expect(await savedByAnyVariant('nat', { family: 4, netns })).toEqual([]);
      expect(hasLegacyTables({ netns })).toBe(false);
      await openIptables({ family: 4, netns, variant }).restore('*nat\n:OTHER - [0:0]\nCOMMIT\n');
      const found = await savedByAnyVariant('nat', { family: 4, netns });
      expect(found.map((one) => one.variant)).toEqual([variant]);
      expect(found[0]?.table.chains.has('OTHER')).toBe(true);
      expect(await savedByAnyVariant('nat', { family: 6, netns })).toEqual([]);
      expect(await savedByAnyVariant('filter', { family: 4, netns })).toEqual([]);
      expect(legacyTables({ family: 4, netns })).toEqual(variant === 'legacy' ? ['nat'] : []);
    });
  });
}

const both = [...faults.values()].every((fault) => fault === undefined);
(both ? test : test.skip)('tables of both variants side by side', async () => {
  using made = testNetns();
  const { netns } = made;
  for (const variant of ['nft', 'legacy'] as const)
    await openIptables({ family: 6, netns, variant }).restore(`*nat\n:OF-${variant} - [0:0]\nCOMMIT\n`);
  const found = await savedByAnyVariant('nat', { family: 6, netns });
  expect(found.map(({ variant, table }) => [variant, table.chains.has(`OF-${variant}`)])).toEqual([
    ['nft', true],
    ['legacy', true],
  ]);
});

test('the variants that work are named, and trying them leaves nothing', async () => {
  const before = (await execute(['nft', 'list', 'ruleset'])).stdout;
  const variants = await iptablesVariants();
  expect(variants.filter((one) => one !== 'default')).toEqual(
    [...faults].flatMap(([variant, fault]) => (fault === undefined ? [variant] : [])),
  );
  expect((await execute(['nft', 'list', 'ruleset'])).stdout).toBe(before);
});
