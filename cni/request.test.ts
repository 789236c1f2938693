import { describe, expect, test } from '@jest/globals';
import { parseRequest } from './request.ts';

const target = { CNI_CONTAINERID: 'abc', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const parse = (command: string, config: unknown, env = {}) =>
  parseRequest({ env: { ...target, CNI_COMMAND: command, ...env }, stdin: JSON.stringify(config) });

test.each(['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])(
  'ADD and DEL of %s',
  (cniVersion) => {
    const config = { cniVersion, name: 'net' };
    expect(parse('ADD', config)).toMatchObject({ kind: 'add', config, target: { containerId: 'abc' } });
    expect(parse('DEL', config)).toMatchObject({ kind: 'del', config, target: { containerId: 'abc' } });
  },
);

describe('what came with which version', () => {
  test.each([
    ['CHECK', undefined, false],
    ['CHECK', '0.3.1', false],
    ['CHECK', '0.4.0', true],
    ['GC', '1.0.0', false],
    ['GC', '1.1.0', true],
    ['STATUS', '1.0.0', false],
    ['STATUS', '1.1.0', true],
  ])('%s in %s: %s', (command, cniVersion, allowed) => {
    const call = () => parse(command, { cniVersion, name: 'net' });
    if (allowed) expect(call()).toMatchObject({ kind: command.toLowerCase() });
    else
      expect(call).toThrow(
        expect.objectContaining({ code: 1, message: `config version does not allow ${command}` }),
      );
  });

  test('VERSION needs none, nor anything else', () => {
    expect(parseRequest({ env: { CNI_COMMAND: 'VERSION' }, stdin: 'x' })).toEqual({ kind: 'version' });
  });
});

// libcni's skeleton: variables, JSON, name, container, interface, version; then what the plugin itself reads.
test.each([
  ['FOO', { CNI_IFNAME: '' }, undefined, 'unknown CNI_COMMAND: FOO'],
  ['ADD', { CNI_IFNAME: '', CNI_NETNS: '' }, 'x', 'required env variables [CNI_NETNS,CNI_IFNAME] missing'],
  ['ADD', { CNI_IFNAME: 'a/b' }, 'x', 'Cannot decode the network configuration: it is not an object'],
  ['ADD', { CNI_IFNAME: 'a/b' }, { cniVersion: '9' }, 'missing network name'],
  [
    'ADD',
    { CNI_IFNAME: 'a/b', CNI_CONTAINERID: '..' },
    { name: 'x', cniVersion: '9' },
    'invalid CNI_CONTAINERID',
  ],
  ['CHECK', { CNI_IFNAME: 'a/b' }, { name: 'x', cniVersion: '9' }, 'invalid CNI_IFNAME'],
  ['CHECK', {}, { name: 'x', cniVersion: '0.3.1', mtu: -1 }, 'config version does not allow CHECK'],
  ['CHECK', {}, { name: 'x', cniVersion: '9', mtu: -1 }, 'incompatible CNI versions'],
  ['GC', {}, { name: 'x', cniVersion: '9', mtu: -1 }, 'incompatible CNI versions'],
  ['ADD', {}, { name: 'x', mtu: -1 }, '"mtu" is -1'],
])('%s with %j and %j: %s', (command, env, config, message) => {
  expect(() => parse(command, config, env)).toThrow(message);
});
