// What the doctor finds between a node and a real etcd: members, certificates, users, rights, space and configuration.
import { afterEach, describe, expect, test } from '@jest/globals';
import type { EtcdOptions } from '../../store/etcd/etcd-options.ts';
import { probeEtcd } from '../../store/etcd/probe-etcd.ts';
import { EtcdCluster, type EtcdClusterOptions, etcdFault } from './etcd-cluster.ts';
import { opensslFault, testPki } from './test-pki.ts';

const prefix = '/coreos.com/network';
const network = '{"Network":"10.0.0.0/16","Backend":{"Type":"vxlan"}}';
const { signal } = new AbortController();
const fault = etcdFault() ?? opensslFault();
const describeEtcd = fault === undefined ? describe : describe.skip;
if (fault !== undefined) test.skip(`access to etcd: ${fault}`, () => undefined);

let cluster: EtcdCluster | undefined;

afterEach(async () => {
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
});

async function start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
  cluster = await EtcdCluster.start(options);
  await cluster.put(`${prefix}/config`, network);
  return cluster;
}

/** "KIND OBJECT", and "(bearable)". Members are named m0, m1 ... */
async function faults(
  etcd: EtcdCluster,
  {
    place = prefix,
    writes = true,
    ...more
  }: Partial<EtcdOptions> & { place?: string; writes?: boolean } = {},
): Promise<readonly string[]> {
  const options = { endpoints: etcd.endpoints, timeoutMs: 1500, prefix: place, ...more };
  const { faults: found } = await probeEtcd(options, { writes, signal });
  return found.map(({ kind, object, evidence, isBearable }) => {
    expect(evidence).toMatch(/^\S.*\S$/);
    expect(evidence).not.toContain('secret');
    const i = etcd.endpoints.indexOf(object);
    return `${kind} ${i === -1 ? object : `m${i}`}${isBearable ? ' (bearable)' : ''}`;
  });
}

describeEtcd('access to etcd', () => {
  test('of three members: each is looked at; without a quorum nothing can be written', async () => {
    const etcd = await start({ members: 3 });
    const before = await etcd.revision();
    expect(await faults(etcd)).toEqual([]);
    expect(await etcd.revision()).toBe(before);
    await etcd.kill(1);
    await etcd.ready();
    expect(await faults(etcd)).toEqual(['unreachable m1 (bearable)']);
    await etcd.kill(2);
    // A leader that lost its followers takes itself for one until an election is due.
    for (let i = 0; i < 20 && !(await faults(etcd)).includes(`leaderless read ${prefix}/config`); i++);
    expect(await faults(etcd)).toEqual([
      'unreachable m1 (bearable)',
      'unreachable m2 (bearable)',
      `leaderless read ${prefix}/config`,
    ]);
    await etcd.kill(0);
    expect(await faults(etcd)).toEqual(['unreachable m0', 'unreachable m1', 'unreachable m2']);
  });

  test('its configuration, and room for a write', async () => {
    const etcd = await start({ quotaBytes: 200_000 });
    expect(await faults(etcd, { place: '/elsewhere' })).toEqual(['no-config /elsewhere/config']);
    await etcd.put('/bad/config', '{"Network":');
    expect(await faults(etcd, { place: '/bad' })).toEqual(['bad-config /bad/config']);
    expect(await faults(etcd, { place: '/none/services', writes: false })).toEqual([]);
    // Its size is what was written to disk, a moment later.
    const fill = async () => {
      for (let i = 0; i < 50; i++) await etcd.put(`/filler${i}`, 'x'.repeat(100_000));
    };
    await expect(fill()).rejects.toThrow('database space exceeded');
    expect(await faults(etcd)).toEqual([`full write ${prefix}/subnets/`]);
  });

  test('its users: unknown ones, wrong passwords, and rights', async () => {
    const etcd = await start();
    await etcd.ctl('user', 'add', 'root:topsecret');
    await etcd.ctl('user', 'grant-role', 'root', 'root');
    for (const [name, right] of [
      ['writer', 'readwrite'],
      ['reader', 'read'],
      ['stranger', undefined],
    ] as const) {
      await etcd.ctl('role', 'add', name);
      if (right !== undefined)
        await etcd.ctl('role', 'grant-permission', name, '--prefix=true', right, `${prefix}/`);
      await etcd.ctl('user', 'add', `${name}:${name}secret`);
      await etcd.ctl('user', 'grant-role', name, name);
    }
    await etcd.ctl('auth', 'enable');
    etcd.user = 'root:topsecret';
    const by = (name: string, text = `${name}secret`) => ({ user: { name, password: { text } } });
    expect(await faults(etcd, by('writer'))).toEqual([]);
    expect(await faults(etcd, by('reader'))).toEqual([`denied write ${prefix}/subnets/`]);
    expect(await faults(etcd, { ...by('reader'), writes: false })).toEqual([]);
    expect(await faults(etcd, by('stranger'))).toEqual([
      `denied read ${prefix}/config`,
      `denied write ${prefix}/subnets/`,
    ]);
    expect(await faults(etcd, by('writer', 'guessed'))).toEqual(['stranger m0']);
    expect(await faults(etcd)).toEqual(['stranger m0']);
  });

  test('its certificates, and ours', async () => {
    using pki = testPki();
    const etcd = await start({ pki, clientCertificates: true });
    const tls = { ca: pki.ca, ...pki.client };
    expect(await faults(etcd, { tls })).toEqual([]);
    expect(await faults(etcd, { tls: { ...tls, ca: pki.otherCa } })).toEqual(['distrusted m0']);
    expect(await faults(etcd, { tls: { ca: pki.ca } })).toEqual(['distrusted m0']);
    expect(await faults(etcd, { tls: { ...tls, ca: '/nowhere/ca.pem' } })).toEqual([
      'distrusted /nowhere/ca.pem',
    ]);
  });
});
