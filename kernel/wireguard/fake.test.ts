import { describe, expect, test } from '@jest/globals';
import { wireguardDriverSuite } from '../../test/wireguard/driver-suite.ts';
import { caseKey, caseLink, casePeer } from './driver-cases.ts';
import { FakeWireguard } from './fake.ts';
import { type Endpoint, endpointText, peerMap } from './objects.ts';
import { planWireguard } from './plan.ts';
import { wireguardStepText } from './text.ts';

describe('the fake, as every driver', () => {
  wireguardDriverSuite(() => {
    const access = new FakeWireguard((link) => link === caseLink);
    return { access, close: () => access.close() };
  });
});

describe('the place of a peer', () => {
  const peer = casePeer(2);
  const wanted = { privateKey: caseKey(1), listenPort: 51820, peers: peerMap([peer]) };
  const elsewhere: Endpoint = { ...casePeer(3).endpoint, address: casePeer(9).endpoint?.address } as Endpoint;
  const access = () => {
    const fake = new FakeWireguard(() => true);
    const empty = { privateKey: undefined, publicKey: undefined, listenPort: 0, peers: new Map() };
    fake.apply(planWireguard({ link: caseLink, wanted, actual: empty, now: 0 }));
    fake.hear(caseLink, { publicKey: peer.publicKey, endpoint: elsewhere, at: 1_000_000 });
    return fake;
  };
  const plan = (fake: FakeWireguard, now: number, more = {}) => {
    const actual = fake.read(caseLink);
    if (actual === undefined) throw new TypeError('Cannot find the device');
    return planWireguard({ link: caseLink, wanted, actual, now, ...more }).map(wireguardStepText);
  };
  const move = `wg set wg-test peer ${peer.publicKey} preshared-key /dev/null endpoint 192.0.2.2:51820 persistent-keepalive off allowed-ips 10.244.2.0/24`;

  test('is where it is heard from, as long as it is', () => {
    expect(plan(access(), 1_180_000)).toEqual([]);
    expect(plan(access(), 1_180_001)).toEqual([move]);
  });

  test('is another at once when it is to be sought elsewhere than before', () => {
    const key = peer.publicKey.toString();
    const { endpoint } = peer;
    expect(plan(access(), 1_000_001, { sought: new Map([[key, endpoint]]) })).toEqual([]);
    expect(plan(access(), 1_000_001, { sought: new Map([[key, elsewhere]]) })).toEqual([move]);
  });

  test('stays when only the rest of the peer changes', () => {
    const fake = access();
    const other = { ...wanted, peers: peerMap([{ ...peer, keepaliveSeconds: 25 }]) };
    const actual = fake.read(caseLink);
    if (actual === undefined) throw new TypeError('Cannot find the device');
    const steps = planWireguard({ link: caseLink, wanted: other, actual, now: 1_000_001 });
    expect(steps.map(wireguardStepText)).toEqual([
      `wg set wg-test peer ${peer.publicKey} preshared-key /dev/null persistent-keepalive 25 allowed-ips 10.244.2.0/24`,
    ]);
    fake.apply(steps);
    const found = fake.read(caseLink)?.peers.get(peer.publicKey.toString());
    expect([found?.keepaliveSeconds, found?.endpoint && endpointText(found.endpoint)]).toEqual([
      25,
      endpointText(elsewhere),
    ]);
  });
});

test('secrets are in no text', () => {
  const secret = caseKey(1);
  const psk = caseKey(2);
  const peer = { ...casePeer(3), presharedKey: psk };
  const texts = [
    wireguardStepText({ kind: 'device-set', link: 'wg', device: { privateKey: secret, listenPort: 1 } }),
    wireguardStepText({ kind: 'peer-set', link: 'wg', peer, keepsEndpoint: false }),
    wireguardStepText({ kind: 'peer-delete', link: 'wg', publicKey: peer.publicKey }),
  ];
  expect(texts).toEqual([
    'wg set wg private-key (hidden) listen-port 1',
    `wg set wg peer ${peer.publicKey} preshared-key (hidden) endpoint 192.0.2.3:51820 persistent-keepalive off allowed-ips 10.244.3.0/24`,
    `wg set wg peer ${peer.publicKey} remove`,
  ]);
});
