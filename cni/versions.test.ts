import { expect, test } from '@jest/globals';
import { isAtLeast, isSupportedVersion, versionAnswer } from './versions.ts';

test('the answer to VERSION', () => {
  expect(versionAnswer()).toBe(
    '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}',
  );
});

test.each(['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])('%s is spoken', (version) => {
  expect(isSupportedVersion(version)).toBe(true);
});

test.each(['', '0.3', '0.3.2', '1.1', '1.1.0 ', 'v1.0.0', '1.2.0'])('%j is not', (version) => {
  expect(isSupportedVersion(version)).toBe(false);
});

test.each([
  ['0.1.0', '0.3.0', false],
  ['0.3.0', '0.3.0', true],
  ['1.1.0', '0.4.0', true],
  ['0.4.0', '1.0.0', false],
] as const)('%s at least %s: %s', (version, other, expected) => {
  expect(isAtLeast(version, other)).toBe(expected);
});
