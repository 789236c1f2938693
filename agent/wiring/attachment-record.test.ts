import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { type AttachmentRecord, AttachmentRecords } from './attachment-record.ts';

let records: AttachmentRecords;
beforeEach(() => {
  records = new AttachmentRecords({ runDirectory: mkdtempSync(join(tmpdir(), 'netloom-records-')) });
});
afterEach(() => rmSync(join(records.directory, '..'), { recursive: true, force: true }));

const attachment = { network: 'cbr0', containerId: 'one', ifname: 'eth0' };
const record: AttachmentRecord = {
  attachment,
  phase: 'adding',
  bootId: 'boot',
  netns: { path: '/run/netns/one', identity: '4:1' },
  hostLink: 'veth0123',
  ipamDirectory: '/var/lib/cni/networks',
  addresses: [IpAddress.parse('10.1.0.2'), IpAddress.parse('fd00::2')],
  rules: {
    attachment,
    backend: 'nftables',
    addresses: [Prefix.parse('10.1.0.2/24')],
    ports: [
      { protocol: 'tcp', hostPort: 80, containerPort: 8080, hostIp: IpAddress.parse('192.0.2.1') },
      { protocol: 'udp', hostPort: 53, containerPort: 53 },
    ],
    portMasquerade: 'needed',
    masquerade: true,
    spoofCheck: { hostLink: 'veth0123', mac: Mac.parse('02:00:00:00:00:01') },
    bridge: 'cni0',
  },
  bandwidth: false,
  pod: 'default/web',
  madeAt: 1000,
};

test('what is written is read again', () => {
  expect(records.read(attachment)).toBeUndefined();
  records.write(record);
  expect(records.read(attachment)).toEqual(record);
  records.write({ ...record, phase: 'added' });
  expect(records.all()).toEqual({ records: [{ ...record, phase: 'added' }], spoilt: [] });
  records.remove(attachment);
  records.remove(attachment);
  expect(records.all()).toEqual({ records: [], spoilt: [] });
});

test.each([
  ['empty', ''],
  ['no JSON', '{'],
  ['no record', '{"attachment":{"network":"../x"}}'],
])('a file that is %s is none, and is told of', (_what, text) => {
  records.write(record);
  const path = join(records.directory, 'x.json');
  writeFileSync(path, text);
  const { records: found, spoilt } = records.all();
  expect(found).toHaveLength(1);
  expect(spoilt.map((one) => one.path)).toEqual([path]);
});
