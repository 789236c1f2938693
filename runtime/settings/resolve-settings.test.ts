import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { resolveSettings, type SettingsSources } from './resolve-settings.ts';
import { type SettingsTable, setting, settingsTable } from './setting.ts';
import { choice, duration, flag, integer, list, text } from './setting-types.ts';
import { SettingsError } from './settings-error.ts';

const table = settingsTable({
  logLevel: setting(choice(['debug', 'info']), { default: 'info', help: 'How much is logged', group: 'Log' }),
  mtu: setting(integer({ min: 68, max: 65_535 }).optional(), { help: 'MTU of pods', group: 'Network' }),
  leaseTtl: setting(duration({ min: '1m' }), { default: '24h', help: 'Life of a lease', group: 'Network' }),
  masquerade: setting(flag(), { default: true, help: 'Masquerade', group: 'Network' }),
  peers: setting(list(text()), { default: [], help: 'Peers', group: 'Network' }),
  etcdPassword: setting(text().optional(), { help: 'Password', group: 'Store', secret: true }),
});
const problemsOf = (sources: SettingsSources, of: SettingsTable = table): readonly string[] => {
  try {
    resolveSettings(of, sources);
  } catch (error) {
    if (error instanceof SettingsError) return error.problems.map(({ message }) => message);
    throw error;
  }
  return [];
};
const file = (values: Record<string, unknown>) => ({ path: '/etc/netloom.yaml', values });

describe('values', () => {
  test('without any source the defaults count, frozen', () => {
    const { settings } = resolveSettings(table, {});
    expect(settings).toEqual({
      logLevel: 'info',
      mtu: undefined,
      leaseTtl: 86_400_000,
      masquerade: true,
      peers: [],
      etcdPassword: undefined,
    });
    expect(Object.isFrozen(settings)).toBe(true);
  });

  test('a flag before a variable before the file before the default, whichever of them are there', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), fc.boolean(), (inFlag, inEnvironment, inFile) => {
        const { settings, report } = resolveSettings(table, {
          flags: inFlag ? { leaseTtl: '3h' } : {},
          environment: inEnvironment ? { NETLOOM_LEASE_TTL: '2h' } : {},
          file: file(inFile ? { leaseTtl: '1h' } : {}),
        });
        const [hours, from] = inFlag
          ? [3, 'flag --lease-ttl']
          : inEnvironment
            ? [2, 'environment NETLOOM_LEASE_TTL']
            : inFile
              ? [1, 'file /etc/netloom.yaml']
              : [24, 'default'];
        expect(settings.leaseTtl).toBe(hours * 3_600_000);
        expect(report).toContainEqual({ name: 'leaseTtl', value: `${hours}h`, from });
      }),
    );
  });

  test('an empty variable counts as not set', () => {
    expect(resolveSettings(table, { environment: { NETLOOM_MTU: '' } }).settings.mtu).toBeUndefined();
  });

  test('the report tells all of it, but no secret', () => {
    const { report, settings } = resolveSettings(table, {
      flags: { masquerade: false },
      environment: { NETLOOM_ETCD_PASSWORD: 'hunter2', NETLOOM_PEERS: 'a,b' },
      file: file({ mtu: 1400 }),
    });
    expect(settings).toMatchObject({
      masquerade: false,
      etcdPassword: 'hunter2',
      peers: ['a', 'b'],
      mtu: 1400,
    });
    expect(report).toEqual([
      { name: 'logLevel', value: 'info', from: 'default' },
      { name: 'mtu', value: 1400, from: 'file /etc/netloom.yaml' },
      { name: 'leaseTtl', value: '24h', from: 'default' },
      { name: 'masquerade', value: false, from: 'flag --masquerade' },
      { name: 'peers', value: 'a,b', from: 'environment NETLOOM_PEERS' },
      { name: 'etcdPassword', value: '(redacted)', from: 'environment NETLOOM_ETCD_PASSWORD' },
    ]);
    expect(resolveSettings(table, {}).report.at(-1)).toEqual({
      name: 'etcdPassword',
      value: null,
      from: 'default',
    });
  });
});

describe('problems', () => {
  test('all at once, each with source, setting, value and what was expected, the overridden ones too', () => {
    const sources: SettingsSources = {
      flags: { mtu: 'big', leaseTtl: '5h' },
      environment: { NETLOOM_MTU: '10', NETLOOM_LEASE_TTL: '1s' },
      file: file({ logLevel: 'loud', masquerade: null, peers: ['a', 7], logLevle: 'debug', tokenFile: 'x' }),
    };
    expect(() => resolveSettings(table, sources)).toThrow(
      `Cannot use these settings:
  /etc/netloom.yaml: logLevle: no such setting; did you mean logLevel?
  /etc/netloom.yaml: tokenFile: no such setting
  /etc/netloom.yaml: logLevel "loud": expected one of debug, info
  --mtu "big": expected a whole number from 68 to 65535
  NETLOOM_MTU "10": expected a whole number from 68 to 65535
  NETLOOM_LEASE_TTL "1s": expected a duration of at least 1m, such as 500ms, 10s or 1h30m
  /etc/netloom.yaml: masquerade null: expected true or false
  /etc/netloom.yaml: peers ["a",7]: [1]: expected a text`,
    );
  });

  test('a secret is not repeated, whatever its validator says', () => {
    const secrets = settingsTable({
      key: setting(
        z.string().refine((s) => s === 'good', { error: ({ input }) => `${input} is bad` }),
        { help: 'h', group: 'g', secret: true, default: 'good' },
      ),
      pin: setting(integer(), { help: 'h', group: 'g', secret: true, default: 1 }),
    });
    const sources = { flags: { pin: 'hunter2' }, environment: { NETLOOM_KEY: 'hunter2' } };
    expect(problemsOf(sources, secrets)).toEqual([
      'NETLOOM_KEY (redacted): not accepted',
      '--pin (redacted): expected a whole number',
    ]);
  });

  test('a setting without a default is required, and all ways to give it are named', () => {
    const required = settingsTable({ nodeName: setting(text(), { help: 'h', group: 'g' }) });
    expect(problemsOf({}, required)).toEqual([
      '--node-name, or NETLOOM_NODE_NAME, or nodeName in the settings file: required: expected a text',
    ]);
    expect(resolveSettings(required, { environment: { NETLOOM_NODE_NAME: 'n1' } }).settings.nodeName).toBe(
      'n1',
    );
  });

  test('names that every object has are no settings', () => {
    const values = JSON.parse('{"constructor": 1, "__proto__": 2, "toString": 3}');
    expect(problemsOf({ file: file(values) })).toHaveLength(3);
  });

  test('other commands’ settings in the file and the environment are passed over', () => {
    const sources = { file: file({ proxyMode: 'nftables' }), environment: { NETLOOM_PROXY_MODE: 'x' } };
    expect(problemsOf({ ...sources, otherNames: ['proxyMode'] })).toEqual([]);
    expect(problemsOf(sources)).toHaveLength(1);
  });

  test('a long value is cut', () => {
    const [problem] = problemsOf({ flags: { mtu: 'x'.repeat(1000) } });
    expect(problem?.length).toBeLessThan(200);
  });
});

test('a misspelt variable is a warning; what Kubernetes sets for a Service named netloom is nothing', () => {
  const { warnings } = resolveSettings(table, {
    environment: {
      NETLOOM_LOG_LEVLE: 'debug',
      NETLOOM_SERVICE_HOST: '10.0.0.1',
      NETLOOM_PORT_80_TCP_ADDR: '10.0.0.1',
      NETLOOM_CONFIG: '/etc/netloom.yaml',
      PATH: '/bin',
    },
  });
  expect(warnings).toEqual(['NETLOOM_LOG_LEVLE is no setting; did you mean NETLOOM_LOG_LEVEL?']);
});
