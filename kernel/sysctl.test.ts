import { describe, expect, test } from '@jest/globals';
import { readSysctl, writeSysctl } from './sysctl.ts';

describe('sysctl keys', () => {
  test.each([
    '',
    'net',
    '/net/ipv4/ip_forward',
    'net.ipv4.ip_forward',
    'kernel/core_pattern',
    'net/../kernel/core_pattern',
    'net/./ipv4',
    'net//ipv4',
    'net/ipv4/',
    'net/ipv4/ip forward',
    'net/ipv4/a\0b',
  ])('refuses %j before it touches a file', (key) => {
    expect(() => readSysctl(key)).toThrow(SyntaxError);
    expect(() => writeSysctl(key, '1')).toThrow(SyntaxError);
  });
});
