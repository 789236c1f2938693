import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { setting, settingsTable } from './setting.ts';
import { duration, flag, integer, list, text } from './setting-types.ts';
import { settingsYaml } from './settings-yaml.ts';

const table = settingsTable({
  name: setting(text(), {
    group: 'Node',
    default: 'this-host',
    defaultWords: 'the host’s name',
    help: 'Name of this node',
  }),
  ports: setting(list(integer()), { group: 'Node', default: '', help: 'Ports' }),
  zone: setting(text().optional(), {
    group: 'Node',
    help: `Zone ${'that has much to be said of '.repeat(5)}it`,
  }),
  interval: setting(duration(), { group: 'Daemon', default: '10s', help: 'Interval: how long' }),
  deep: setting(flag(), { group: 'Daemon', default: false, help: 'Deep' }),
  password: setting(text(), { group: 'Daemon', default: 'hunter2', secret: true, help: 'Secret' }),
});

const page = settingsYaml(table, ['What it is.', '', 'More.']);

test('the whole page', () => {
  expect(page).toBe(`# What it is.
#
# More.

## Node

# Name of this node [--name, NETLOOM_NAME]
#name: <the host’s name>

# Ports [--ports, NETLOOM_PORTS]
#ports: []

# Zone that has much to be said of that has much to be said of that has much to be said of that has much to be said of
# that has much to be said of it [--zone, NETLOOM_ZONE]
#zone: <text>


## Daemon

# Interval: how long [--interval, NETLOOM_INTERVAL]
#interval: 10s

# Deep [--deep, NETLOOM_DEEP]
#deep: false

# Secret [--password, NETLOOM_PASSWORD]
#password: <text>
`);
});

test('it sets nothing', () => {
  expect(parse(page)).toBeNull();
});
