import { describe, expect, test } from '@jest/globals';
import {
  errnoName,
  isExists,
  isNotFound,
  isNotPermitted,
  isNotSupported,
  isOverrun,
  isStaleGeneration,
  KernelError,
} from './kernel-error.ts';

describe('KernelError', () => {
  test.each([
    [
      { operation: 'add route', object: '10.1.2.0/24 via 192.0.2.9', errno: 101 },
      'Cannot add route "10.1.2.0/24 via 192.0.2.9": network is unreachable (ENETUNREACH)',
    ],
    [
      { operation: 'add link', object: 'x', errno: 95, kernelMessage: 'Unknown device type' },
      'Cannot add link "x": operation not supported on socket (EOPNOTSUPP): Unknown device type',
    ],
    [{ operation: 'list links', object: '', errno: 4 }, 'Cannot list links: interrupted system call (EINTR)'],
    [{ operation: 'commit', object: '', errno: 85 }, 'Cannot commit: kernel error (ERESTART)'],
    [{ operation: 'commit', object: '', errno: 4000 }, 'Cannot commit: kernel error (errno 4000)'],
  ])('says %j', (detail, message) => {
    expect(new KernelError(detail).message).toBe(message);
  });

  test('keeps the cause', () => {
    const cause = new Error('below');
    expect(new KernelError({ operation: 'open', object: 'x', errno: 2, cause }).cause).toBe(cause);
  });

  const of = (errno: number) => new KernelError({ operation: 'try', object: 'it', errno });
  test.each([
    ['isNotFound', isNotFound, [2, 3, 6, 19, 99]],
    ['isExists', isExists, [17]],
    ['isNotPermitted', isNotPermitted, [1, 13]],
    ['isNotSupported', isNotSupported, [38, 93, 95, 97, 524]],
    ['isOverrun', isOverrun, [105]],
    ['isStaleGeneration', isStaleGeneration, [85]],
  ] as const)('%s answers for its numbers only', (_name, ask, own) => {
    const numbers = Array.from({ length: 600 }, (_, i) => i + 1);
    expect(numbers.filter((errno) => ask(of(errno)))).toEqual([...own]);
    expect(ask(new Error('ENOENT'))).toBe(false);
    expect(ask(undefined)).toBe(false);
  });

  test('names numbers that Node does not', () => {
    expect([1, 2, 11, 17, 85, 95, 105, 524].map(errnoName)).toEqual([
      'EPERM',
      'ENOENT',
      'EAGAIN',
      'EEXIST',
      'ERESTART',
      'EOPNOTSUPP',
      'ENOBUFS',
      'ENOTSUPP',
    ]);
  });
});
