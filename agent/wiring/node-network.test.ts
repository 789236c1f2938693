import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { readNodeNetwork } from './node-network.ts';

let directory: string;
let subnetFile: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-subnet-'));
  subnetFile = join(directory, 'subnet.env');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const read = () => readNodeNetwork({ subnetFile, bridge: 'cni0' });

test('flannel wrote it, both families', () => {
  writeFileSync(
    subnetFile,
    'FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:1::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n',
  );
  expect(read()).toEqual({
    bridge: 'cni0',
    mtu: 1450,
    subnets: [
      { subnet: Prefix.parse('10.244.1.0/24'), gateway: IpAddress.parse('10.244.1.1') },
      { subnet: Prefix.parse('fd00:0:0:1::/64'), gateway: IpAddress.parse('fd00:0:0:1::1') },
    ],
  });
});

test('missing: try again later; spoilt or unreadable: an error', () => {
  expect(read).toThrow(expect.objectContaining({ code: 11, message: expect.stringContaining('is missing') }));
  for (const text of [
    '',
    'FLANNEL_SUBNET=',
    'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=x\nFLANNEL_MTU=1450\n',
  ]) {
    writeFileSync(subnetFile, text);
    expect(read).toThrow(expect.objectContaining({ code: 5 }));
  }
  rmSync(subnetFile);
  expect(() => readNodeNetwork({ subnetFile: directory, bridge: 'cni0' })).toThrow(
    expect.objectContaining({ code: 5 }),
  );
});
