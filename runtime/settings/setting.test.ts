import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { type SettingsOf, setting, settingsTable } from './setting.ts';
import { duration, flag, integer, list, text } from './setting-types.ts';

const about = { help: 'h', group: 'g' };

describe('settingsTable', () => {
  test('gives settings their types by inference', () => {
    const table = settingsTable({
      mtu: setting(integer(), { ...about, default: 1500 }),
      ttl: setting(duration(), { ...about, default: '24h' }),
      peers: setting(list(text()), { ...about, default: [] }),
      debug: setting(flag().optional(), about),
      plain: setting(z.string(), about),
    });
    const settings: SettingsOf<typeof table> = { mtu: 1, ttl: 2, peers: ['a'], debug: undefined, plain: '' };
    // @ts-expect-error a number is no text
    const wrong: SettingsOf<typeof table>['plain'] = settings.mtu;
    expect([Object.keys(table), wrong]).toEqual([['mtu', 'ttl', 'peers', 'debug', 'plain'], 1]);
  });

  test.each(['lease-ttl', 'LeaseTtl', 'lease_ttl', '', '2fast'])('refuses the name %j', (name) => {
    const table = { [name]: setting(text(), about) };
    expect(() => settingsTable(table)).toThrow(
      `Cannot declare setting "${name}": its name must be camelCase`,
    );
  });

  test.each(['config', 'help', 'version', 'json', 'noMasquerade'])(
    'refuses the name %j, whose flag is taken',
    (name) => {
      expect(() => settingsTable({ [name]: setting(text(), about) })).toThrow(SyntaxError);
    },
  );

  test('takes a name that only begins with no', () => {
    expect(() => settingsTable({ nodeName: setting(text(), about) })).not.toThrow();
  });

  test('refuses a default that the type does not take', () => {
    const table = { mtu: setting(integer({ min: 68 }), { ...about, default: 1 }) };
    expect(() => settingsTable(table)).toThrow(
      'Cannot declare setting "mtu": its default is bad: expected a whole number of at least 68',
    );
  });
});
