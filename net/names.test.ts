import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { interfaceName, isIdentifier, isInterfaceName } from './names.ts';

describe('interface names', () => {
  test.each(['eth0', 'flannel.1', 'flannel-v6.1', 'veth0123456789a', 'a', '...', 'br@1', 'üb0'])(
    'takes %j',
    (name) => {
      expect(isInterfaceName(name)).toBe(true);
      expect(interfaceName(name)).toBe(name);
    },
  );

  test.each([
    ['empty', ''],
    ['dot', '.'],
    ['dot dot', '..'],
    ['16 bytes', 'veth0123456789ab'],
    ['16 bytes in 15 characters', 'veth0123456789ü'],
    ['slash', 'a/b'],
    ['colon', 'eth0:1'],
    ['space', 'a b'],
    ['newline', 'a\n'],
    ['zero byte', 'a\0b'],
    ['delete', 'a\u007f'],
    ['a format, which the kernel would number', 'veth%d'],
    ['a byte 0xa0, which the kernel takes for a space', 'à'],
    ['half a surrogate pair', 'a\ud800'],
  ])('refuses %s', (_, name) => {
    expect(isInterfaceName(name)).toBe(false);
    expect(() => interfaceName(name)).toThrow(`Cannot use ${JSON.stringify(name)} as an interface name`);
  });

  test('what is taken always fits IFNAMSIZ and is one component of a path', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (name) => {
        if (!isInterfaceName(name)) return;
        expect(Buffer.byteLength(name)).toBeLessThanOrEqual(15);
        expect(name).not.toMatch(/[/\0\s]|^\.{0,2}$/);
      }),
    );
  });
});

describe('identifiers', () => {
  test.each(['a', '0', 'cni-loopback', 'A.b_c-1', 'x'.repeat(255)])('takes %j', (name) => {
    expect(isIdentifier(name)).toBe(true);
  });

  test.each(['', '.', '..', '-a', '_a', 'a/b', 'a b', 'a\n', 'ä', 'x'.repeat(256)])('refuses %j', (name) => {
    expect(isIdentifier(name)).toBe(false);
  });
});
