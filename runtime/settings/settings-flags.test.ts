import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { setting, settingsTable } from './setting.ts';
import { choice, duration, flag, list, text } from './setting-types.ts';
import { addOptions, flagsOf } from './settings-flags.ts';
import { settingsMarkdown } from './settings-markdown.ts';

const table = settingsTable({
  logLevel: setting(choice(['debug', 'info']), { default: 'info', help: 'How much is logged', group: 'Log' }),
  leaseTtl: setting(duration(), { default: '24h', help: 'Life of a lease', group: 'Network' }),
  masquerade: setting(flag(), { default: true, help: 'Hide pods behind the node', group: 'Network' }),
  dryRun: setting(flag().optional(), { help: 'Change nothing', group: 'Log' }),
  excluded: setting(list(text()), {
    default: ['10.0.0.0/8', '192.168.0.0/16'],
    help: 'Not masqueraded',
    group: 'Network',
    placeholder: 'prefix,...',
  }),
  etcdPassword: setting(text(), { default: 'changeme', help: 'Password', group: 'Store', secret: true }),
});
const make = (): Command =>
  addOptions(new Command('agent').exitOverride().configureOutput({ writeErr: () => {} }), table);
const flags = (...argv: string[]): unknown => {
  const command = make();
  command.parse(argv, { from: 'user' });
  return flagsOf(command, table);
};

describe('flags', () => {
  test.each<[string[], unknown]>([
    [[], {}],
    [['--log-level', 'debug', '--lease-ttl=1h'], { logLevel: 'debug', leaseTtl: '1h' }],
    [['--masquerade', '--no-dry-run'], { masquerade: true, dryRun: false }],
    [['--no-masquerade', '--dry-run'], { masquerade: false, dryRun: true }],
    [['--no-masquerade', '--masquerade'], { masquerade: true }],
    [['--masquerade=false', '--dry-run'], { masquerade: 'false', dryRun: true }],
    [['--excluded', 'a,b', '--excluded', 'c'], { excluded: 'a,b,c' }],
    [['--excluded='], { excluded: '' }],
    [['--log-level', 'a', '--log-level', 'b'], { logLevel: 'b' }],
  ])('%j', (argv, expected) => {
    expect(flags(...argv)).toEqual(expected);
  });

  test('a flag without its value is commander’s error', () => {
    expect(() => flags('--log-level')).toThrow("option '--log-level <debug|info>' argument missing");
  });
});

test('help lists the settings under their headings, with variable and default, without secrets', () => {
  const help = make().configureHelp({ helpWidth: 1000 }).helpInformation().replace(/ {2,}/g, '  ');
  expect(help).toBe(`Usage: agent [options]

Options:
  --config <file>  Settings file, YAML or JSON; flags and environment override it [NETLOOM_CONFIG]
  -h, --help  display help for command

Log:
  --log-level <debug|info>  How much is logged [NETLOOM_LOG_LEVEL, default: info]
  --dry-run [boolean]  Change nothing [NETLOOM_DRY_RUN, off: --no-dry-run]

Network:
  --lease-ttl <duration>  Life of a lease [NETLOOM_LEASE_TTL, default: 24h]
  --masquerade [boolean]  Hide pods behind the node [NETLOOM_MASQUERADE, off: --no-masquerade, default: on]
  --excluded <prefix,...>  Not masqueraded [NETLOOM_EXCLUDED, default: 10.0.0.0/8,192.168.0.0/16]

Store:
  --etcd-password <text>  Password [NETLOOM_ETCD_PASSWORD]
`);
});

test('the documentation is a table a group', () => {
  expect(settingsMarkdown(table)).toBe(`### Log

| setting | flag | environment | default | what it does |
|---|---|---|---|---|
| \`logLevel\` | \`--log-level <debug\\|info>\` | \`NETLOOM_LOG_LEVEL\` | \`info\` | How much is logged |
| \`dryRun\` | \`--dry-run\`, \`--no-dry-run\` | \`NETLOOM_DRY_RUN\` |  | Change nothing |

### Network

| setting | flag | environment | default | what it does |
|---|---|---|---|---|
| \`leaseTtl\` | \`--lease-ttl <duration>\` | \`NETLOOM_LEASE_TTL\` | \`24h\` | Life of a lease |
| \`masquerade\` | \`--masquerade\`, \`--no-masquerade\` | \`NETLOOM_MASQUERADE\` | \`true\` | Hide pods behind the node |
| \`excluded\` | \`--excluded <prefix,...>\` | \`NETLOOM_EXCLUDED\` | \`10.0.0.0/8,192.168.0.0/16\` | Not masqueraded |

### Store

| setting | flag | environment | default | what it does |
|---|---|---|---|---|
| \`etcdPassword\` | \`--etcd-password <text>\` | \`NETLOOM_ETCD_PASSWORD\` |  | Password |
`);
});
