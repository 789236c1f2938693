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
  const endpoint = peer.endpoint as Endpoint;
  const elsewhere: Endpoint = { address: (casePeer(9).endpoint as Endpoint).address, port: 1234 };
  const soughtAt = (place: Endpoint) => new Map([[peer.publicKey.toString(), place]]);
  const access = (heardAt = elsewhere) => {
    const fake = new FakeWireguard(() => true);
    const empty = { privateKey: undefined, publicKey: undefined, listenPort: 0, peers: new Map() };
    fake.apply(planWireguard({ link: caseLink, wanted, actual: empty, now: 0 }));
    fake.hear(caseLink, { publicKey: peer.publicKey, endpoint: heardAt, at: 1_000_000 });
    return fake;
  };
  const plan = (fake: FakeWireguard, now: number, more = {}) => {
    const actual = fake.read(caseLink);
    if (actual === undefined) throw new TypeError('Cannot find the device');
    return planWireguard({ link: caseLink, wanted, actual, now, ...more }).map(wireguardStepText);
  };
  const move = `wg set wg-test peer ${peer.publicKey} preshared-key /dev/null endpoint 192.0.2.2:51820 persistent-keepalive off allowed-ips 10.244.2.0/24`;

  test('is where it is heard from, as long as it is', () => {
    const sought = soughtAt(endpoint);
    expect(plan(access(), 1_180_000, { sought })).toEqual([]);
    expect(plan(access(), 1_180_001, { sought })).toEqual([move]);
  });

  test('is by its address while nobody knows where it was sought: a port is a translator’s', () => {
    expect(plan(access(), 1_000_001)).toEqual([move]);
    expect(plan(access({ ...elsewhere, address: endpoint.address }), 1_000_001)).toEqual([]);
  });

  test('is another at once when it is to be sought elsewhere than before', () => {
    expect(plan(access(), 1_000_001, { sought: soughtAt(endpoint) })).toEqual([]);
    expect(plan(access(), 1_000_001, { sought: soughtAt(elsewhere) })).toEqual([move]);
  });

  test('stays when only the rest of the peer changes', () => {
    const fake = access();
    const other = { ...wanted, peers: peerMap([{ ...peer, keepaliveSeconds: 25 }]) };
    const actual = fake.read(caseLink);
    if (actual === undefined) throw new TypeError('Cannot find the device');
    const sought = soughtAt(endpoint);
    const steps = planWireguard({ link: caseLink, wanted: other, actual, sought, now: 1_000_001 });
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
