import { expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import type { VirtualServer } from './objects.ts';
import { ipvsStepText, serverLines, serverWords } from './text.ts';

const ip = IpAddress.parse;
const server: VirtualServer = {
  protocol: 'sctp',
  address: ip('fd00::1'),
  port: 99,
  scheduler: 'sh',
  persistentSeconds: 10_800,
  hashesPort: true,
};
const real = { address: ip('fd00::2'), port: 9, weight: 1 };

test('servers are as ipvsadm -Sn prints them', () => {
  expect(serverLines(server, [real, { ...real, port: 8, weight: 0 }])).toEqual([
    '-A --sctp-service [fd00::1]:99 -s sh -p 10800 -b sh-port',
    '-a --sctp-service [fd00::1]:99 -r [fd00::2]:9 -m -w 1',
    '-a --sctp-service [fd00::1]:99 -r [fd00::2]:8 -m -w 0',
  ]);
  expect(serverWords({ ...server, protocol: 'udp', scheduler: 'mh' })).toBe(
    '-u [fd00::1]:99 -s mh -p 10800 -b mh-port',
  );
});

test('steps are commands', () => {
  const change = { ...server, persistentSeconds: undefined, hashesPort: false };
  expect([
    ipvsStepText({ kind: 'server-add', server }),
    ipvsStepText({ kind: 'server-change', server: change }),
    ipvsStepText({ kind: 'server-delete', server }),
    ipvsStepText({ kind: 'real-add', server, real }),
    ipvsStepText({ kind: 'real-change', server, real }),
    ipvsStepText({ kind: 'real-delete', server, real }),
  ]).toEqual([
    'ipvsadm -A --sctp-service [fd00::1]:99 -s sh -p 10800 -b sh-port',
    'ipvsadm -E --sctp-service [fd00::1]:99 -s sh',
    'ipvsadm -D --sctp-service [fd00::1]:99',
    'ipvsadm -a --sctp-service [fd00::1]:99 -r [fd00::2]:9 -m -w 1',
    'ipvsadm -e --sctp-service [fd00::1]:99 -r [fd00::2]:9 -m -w 1',
    'ipvsadm -d --sctp-service [fd00::1]:99 -r [fd00::2]:9',
  ]);
});
