import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { z } from 'zod';
import { choice, duration, flag, hostPort, integer, list, parsed, text } from './setting-types.ts';
import { typeFacts } from './type-facts.ts';

const read = (type: z.ZodType, input: unknown): unknown => {
  const result = type.safeParse(input);
  return result.success
    ? result.data
    : result.error.issues.map((issue) => [...issue.path, issue.message].join(' '));
};
const port = integer({ min: 1, max: 65_535 });
const letters = parsed({
  expected: 'some letters',
  placeholder: 'letters',
  parse(input) {
    if (input === 'boom') throw new SyntaxError('no bombs');
    return /^[a-z]+$/.test(input) ? input.toUpperCase() : undefined;
  },
});

describe('what is taken', () => {
  test.each<[string, z.ZodType, unknown, unknown]>([
    ['integer', integer(), '-42', -42],
    ['integer', integer(), 7, 7],
    ['integer', integer(), '007', 7],
    ['duration', duration(), '500ms', 500],
    ['duration', duration(), '10s', 10_000],
    ['duration', duration(), '24h', 86_400_000],
    ['duration', duration(), '1h30m', 5_400_000],
    ['duration', duration(), '2d', 172_800_000],
    ['duration', duration(), '1.5s', 1500],
    ['duration', duration(), 0, 0],
    ['duration', duration(), '0', 0],
    ['flag', flag(), true, true],
    ['flag', flag(), 'off', false],
    ['flag', flag(), '1', true],
    ['text', text(), 'a, b', 'a, b'],
    ['choice', choice(['vxlan', 'host-gw']), 'host-gw', 'host-gw'],
    ['parsed', letters, 'abc', 'ABC'],
    ['list', list(port), '80, 443', [80, 443]],
    ['list', list(port), [80, '443'], [80, 443]],
    ['list', list(port), '', []],
    ['list', list(letters), ['a'], ['A']],
    ['hostPort', hostPort(), '127.0.0.1:9090', { host: '127.0.0.1', port: 9090 }],
    ['hostPort', hostPort(), '[::1]:0', { host: '::1', port: 0 }],
    ['hostPort', hostPort(), 'node-1:80', { host: 'node-1', port: 80 }],
  ])('%s: %#', (_, type, input, value) => {
    expect(read(type, input)).toEqual(value);
  });

  test('what it gives is frozen', () => {
    expect(Object.isFrozen(list(port).parse('80'))).toBe(true);
    expect(Object.isFrozen(hostPort().parse('a:1'))).toBe(true);
  });

  test('any duration in its longest spelling', () => {
    const part = fc.integer({ min: 0, max: 999 });
    fc.assert(
      fc.property(part, part, part, part, part, (d, h, m, s, ms) => {
        expect(duration().parse(`${d}d${h}h${m}m${s}s${ms}ms`)).toBe(
          (((d * 24 + h) * 60 + m) * 60 + s) * 1000 + ms,
        );
      }),
    );
  });
});

describe('what is refused, and how it is said', () => {
  test.each<[string, z.ZodType, readonly unknown[], string]>([
    [
      'integer',
      integer(),
      ['', ' 1', '1.5', '1e3', '0x10', 1.5, true, null, '9007199254740993'],
      'expected a whole number',
    ],
    ['port', port, ['0', 65_536], 'expected a whole number from 1 to 65535'],
    ['least', integer({ min: 1 }), [0], 'expected a whole number of at least 1'],
    ['most', integer({ max: 9 }), [10], 'expected a whole number of at most 9'],
    [
      'duration',
      duration(),
      ['', '10', 10, '10 s', '-1s', 's', '1s1m', '1w', null],
      'expected a duration, such as 500ms, 10s or 1h30m',
    ],
    [
      'bounded duration',
      duration({ min: '1s', max: '1h' }),
      ['999ms', '61m', 0],
      'expected a duration from 1s to 1h, such as 500ms, 10s or 1h30m',
    ],
    ['flag', flag(), ['', 'TRUE?', 1, 2, null], 'expected true or false'],
    ['text', text(), ['', 5, ['a']], 'expected a text'],
    ['choice', choice(['a', 'b']), ['A', '', 1], 'expected one of a, b'],
    ['parsed', letters, ['A1', 5, undefined], 'expected some letters'],
    ['parsed, with its reason', letters, ['boom'], 'expected some letters: no bombs'],
    ['list', list(port), [5, { a: 1 }, null], 'expected a list, or text with commas'],
    ['list item', list(port), ['80,,443', ['80', '']], '1 expected a whole number from 1 to 65535'],
    [
      'hostPort',
      hostPort(),
      ['9090', ':9090', '::1:9090', 'a:65536', 'a:', 'a b:1', 9090],
      'expected a host and a port, such as 127.0.0.1:9090 or [::1]:9090',
    ],
  ])('%s', (_, type, inputs, message) => {
    for (const input of inputs) expect([input, read(type, input)]).toEqual([input, [message]]);
  });

  test('a bound that is no duration is the programmer’s mistake', () => {
    expect(() => duration({ min: 'soon' })).toThrow('Cannot bound a duration by "soon": it is none');
  });
});

test('facts are found through optional', () => {
  expect(typeFacts(flag().optional())).toMatchObject({ shape: 'flag' });
  expect(typeFacts(list(text()))).toMatchObject({ shape: 'list', placeholder: 'list' });
});
