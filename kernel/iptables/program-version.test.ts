import { describe, expect, test } from '@jest/globals';
import { knowsRandomFully, parseIptablesVersion } from './program-version.ts';

describe('parseIptablesVersion', () => {
  test.each([
    ['iptables-restore v1.8.9 (nf_tables)\n', { kind: 'nft', major: 1, minor: 8, patch: 9 }],
    ['ip6tables-restore v1.8.10 (legacy)', { kind: 'legacy', major: 1, minor: 8, patch: 10 }],
    ['iptables-restore v1.6.1', { kind: 'legacy', major: 1, minor: 6, patch: 1 }],
    ['iptables v2.0 (nf_tables)', { kind: 'nft', major: 2, minor: 0, patch: 0 }],
  ] as const)('reads %j', (text, version) => {
    expect(parseIptablesVersion(text)).toEqual(version);
  });
  test('refuses other text', () => {
    expect(() => parseIptablesVersion('hello\n')).toThrow(/from "hello"/);
  });
});

test.each([
  ['v1.4.21', false],
  ['v1.6.1', false],
  ['v1.6.2', true],
  ['v1.8.0', true],
  ['v2.0', true],
])('%s knows --random-fully: %s', (text, known) => {
  expect(knowsRandomFully(parseIptablesVersion(text))).toBe(known);
});
