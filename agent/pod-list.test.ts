import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { createPodList } from './pod-list.ts';
import { hostLinkName } from './wiring/attachment.ts';

const directory = mkdtempSync(join(tmpdir(), 'netloom-pods-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('createPodList', () => {
  test('lists nothing where there is no directory', async () => {
    expect(await createPodList(join(directory, 'missing'))()).toEqual([]);
  });

  test('lists who has which addresses, of all networks, by address', async () => {
    const home = join(directory, 'networks');
    mkdirSync(join(home, 'cbr0'), { recursive: true });
    mkdirSync(join(home, 'second'));
    mkdirSync(join(home, '.not a network'));
    writeFileSync(join(home, 'cbr0', '10.244.1.10'), 'late\r\neth0');
    writeFileSync(join(home, 'cbr0', '10.244.1.9'), 'early\r\neth0');
    writeFileSync(join(home, 'cbr0', 'fd00::9'), 'early\r\neth0');
    writeFileSync(join(home, 'cbr0', '10.244.1.11'), '');
    writeFileSync(join(home, 'cbr0', 'last_reserved_ip.0'), '10.244.1.11');
    writeFileSync(join(home, 'second', '10.99.0.2'), 'early\r\nnet1');
    const pod = (
      name: string,
      { network, ifname, addresses }: { network: string; ifname: string; addresses: string[] },
    ) => ({
      name,
      network,
      addresses: addresses.map((address) => IpAddress.parse(address)),
      interface: hostLinkName({ network, containerId: name, ifname }),
    });
    const list = createPodList(home);
    const pods = [
      pod('early', { network: 'second', ifname: 'net1', addresses: ['10.99.0.2'] }),
      pod('early', { network: 'cbr0', ifname: 'eth0', addresses: ['10.244.1.9', 'fd00::9'] }),
      pod('late', { network: 'cbr0', ifname: 'eth0', addresses: ['10.244.1.10'] }),
    ];
    expect(await list()).toEqual(pods);
    rmSync(join(home, 'cbr0', '10.244.1.10'));
    expect(await list()).toEqual(pods.slice(0, 2));
  });
});
