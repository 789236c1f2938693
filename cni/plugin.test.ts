import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Attachment, hostLinkName, hostMac, podMac } from '../agent/wiring/attachment.ts';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { nodeSubnet } from '../agent/wiring/node-network.ts';
import type { Wiring } from '../agent/wiring/wiring.ts';
import { KernelError } from '../kernel/kernel-error.ts';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { runPlugin } from './plugin.ts';
import type { VerbContext } from './verb-context.ts';

/** A wiring without a kernel: it remembers what it was asked, and refuses what it is told to. */
function recordingWiring(
  refusal?: Error,
  state = { free: true, used: false },
): { readonly wiring: Wiring; readonly calls: unknown[][] } {
  const calls: unknown[][] = [];
  const answer = async <T>(verb: string, request: unknown, value: T): Promise<T> => {
    calls.push([verb, request]);
    if (refusal !== undefined) throw refusal;
    return value;
  };
  const wiring: Wiring = {
    add: (request) =>
      answer('add', request, {
        bridge: { name: 'cni0', mac: undefined },
        host: { name: hostLinkName(request.attachment), mac: hostMac(request.attachment) },
        pod: { name: request.attachment.ifname, mac: podMac(request.attachment), mtu: request.mtu ?? 1450 },
        addresses: [{ address: Prefix.parse('10.0.0.2/24'), gateway: IpAddress.parse('10.0.0.1') }],
        routes: [{ destination: Prefix.parse('0.0.0.0/0'), gateway: IpAddress.parse('10.0.0.1') }],
      }),
    chain: (request) => answer('chain', request, undefined),
    del: (request) => answer('del', request, undefined),
    check: (request) => answer('check', request, undefined),
    collect: (request) => answer('collect', request, undefined),
    hasFree: async () => state.free,
    isUsed: () => state.used,
    loopback: {
      add: (path) => void calls.push(['lo add', path]),
      del: (path) => void calls.push(['lo del', path]),
      check: (path) => void calls.push(['lo check', path]),
    },
    close: async () => undefined,
  };
  return { wiring, calls };
}

interface PlacedCall {
  readonly attachment?: Attachment;
  readonly ipamDirectory: string;
}

const network = { bridge: 'cni0', mtu: 1450, subnets: [nodeSubnet(Prefix.parse('10.0.0.1/24'))] };
const contextOf = (wiring: Wiring): VerbContext => ({ wiring, node: () => network });
const env = { CNI_CONTAINERID: 'abc', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const config = { cniVersion: '1.1.0', name: 'cbr0' };

async function call(command: string, more: object = {}, refusal?: Error) {
  const { wiring, calls } = recordingWiring(refusal);
  const stdin = JSON.stringify({ ...config, ...more });
  const { exitCode, stdout } = await runPlugin(
    { env: { ...env, CNI_COMMAND: command }, stdin },
    contextOf(wiring),
  );
  return { exitCode, answer: stdout === '' ? undefined : JSON.parse(stdout), calls };
}

describe('verbs', () => {
  test('no command: what it is, on standard error', async () => {
    const output = await runPlugin({ env: {}, stdin: '' }, contextOf(recordingWiring().wiring));
    expect(output).toMatchObject({ exitCode: 0, stdout: '' });
    expect(output.stderr).toContain(
      'CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0',
    );
  });

  test('VERSION, with the variables that libcni makes up', async () => {
    const dummy = {
      CNI_COMMAND: 'VERSION',
      CNI_NETNS: 'dummy',
      CNI_IFNAME: 'dummy',
      CNI_PATH: 'dummy',
      CNI_CONTAINERID: '',
    };
    const output = await runPlugin({ env: dummy, stdin: '' }, contextOf(recordingWiring().wiring));
    expect(output).toEqual({
      exitCode: 0,
      stdout:
        '{"cniVersion":"1.1.0","supportedVersions":["0.1.0","0.2.0","0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}',
    });
  });

  const whose = {
    attachment: { network: 'cbr0', containerId: 'abc', ifname: 'eth0' },
    runDirectory: '/run/netloom',
  };
  const place = { ...whose, ipamDirectory: '/var/lib/cni/networks' };

  test('ADD on the network of the node', async () => {
    const { answer, calls } = await call('ADD', { mtu: 1400, hairpinMode: false });
    expect(calls).toEqual([['add', expect.objectContaining({ ...whose, netns: '/run/netns/x', mtu: 1400 })]]);
    expect(calls[0]?.[1]).toMatchObject({
      bridge: { name: 'cni0', madeBy: 'agent', mtu: 1450 },
      port: { hairpin: false },
      ipam: { directory: '/var/lib/cni/networks', sets: [[{ gateway: IpAddress.parse('10.0.0.1') }]] },
      isDefaultGateway: true,
      firewall: { ports: [], masquerade: false },
    });
    expect(answer).toMatchObject({
      cniVersion: '1.1.0',
      interfaces: [{ name: 'cni0' }, {}, { name: 'eth0', mtu: 1400 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
    });
  });

  test('ADD on a network of its own asks nothing of the node', async () => {
    const { calls } = await call('ADD', {
      bridge: 'lan0',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', subnet: '10.88.0.0/16' },
      runtimeConfig: { portMappings: [{ HostPort: 8080, ContainerPort: 80, Protocol: 'TCP' }] },
    });
    expect(calls[0]?.[1]).toMatchObject({
      bridge: { name: 'lan0', madeBy: 'wiring', isGateway: true },
      isDefaultGateway: false,
      firewall: { masquerade: true, ports: [{ protocol: 'tcp', hostPort: 8080, containerPort: 80 }] },
    });
  });

  test("ranges that cannot be are the configuration's fault", async () => {
    const ranges = [[{ subnet: '10.88.0.0/24' }], [{ subnet: '10.88.0.0/16' }]];
    const { answer, calls } = await call('ADD', { ipam: { type: 'host-local', ranges } });
    expect(answer).toMatchObject({ code: 7 });
    expect(answer.msg).toContain('ipam.ranges');
    expect(calls).toEqual([]);
  });

  test('last in a chain: ports and limits for the interface that is there, and its result', async () => {
    const prevResult = {
      interfaces: [{ name: 'br0' }, { name: 'vethx' }, { name: 'eth0', sandbox: '/run/netns/x' }],
      ips: [{ address: '10.9.0.2/16', interface: 2 }],
      foreign: 1,
    };
    const portMappings = [{ hostPort: 80, containerPort: 80 }];
    const { answer, calls } = await call('ADD', {
      prevResult,
      ipMasq: true,
      runtimeConfig: { portMappings },
    });
    expect(calls).toEqual([['chain', expect.objectContaining({ ...whose, hostLinks: ['br0', 'vethx'] })]]);
    expect(JSON.parse(JSON.stringify(calls[0]?.[1]))).toMatchObject({
      addresses: ['10.9.0.2/16'],
      firewall: { masquerade: false, ports: [{ hostPort: 80 }] },
    });
    expect(answer).toMatchObject(prevResult);
  });

  test('in place of loopback', async () => {
    const added = await call('ADD', { type: 'loopback' });
    expect(added.calls).toEqual([['lo add', '/run/netns/x']]);
    expect(added.answer).toMatchObject({
      interfaces: [{ name: 'lo', sandbox: '/run/netns/x' }],
      ips: [{ address: '127.0.0.1/8' }, { address: '::1/128' }],
    });
    expect((await call('DEL', { type: 'loopback' })).calls).toEqual([['lo del', '/run/netns/x']]);
    expect((await call('CHECK', { type: 'loopback' })).calls).toEqual([['lo check', '/run/netns/x']]);
  });

  test('DEL needs no prevResult, and does not look at it', async () => {
    const { exitCode, answer, calls } = await call('DEL', { prevResult: 'spoilt' });
    expect({ exitCode, answer, calls }).toEqual({
      exitCode: 0,
      answer: undefined,
      calls: [['del', { ...place, netns: '/run/netns/x' }]],
    });
  });

  test('CHECK compares with prevResult', async () => {
    const prevResult = {
      interfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/x' }],
      ips: [{ address: '10.0.0.2/24', gateway: '10.0.0.1', interface: 0 }],
      routes: [{ dst: '0.0.0.0/0', gw: '10.0.0.1' }],
    };
    const { exitCode, calls } = await call('CHECK', { prevResult });
    expect(exitCode).toBe(0);
    expect(JSON.parse(JSON.stringify(calls))).toEqual([
      [
        'check',
        {
          ...place,
          netns: '/run/netns/x',
          expected: {
            mac: '02:00:00:00:00:01',
            addresses: ['10.0.0.2/24'],
            routes: [{ destination: '0.0.0.0/0', gateway: '10.0.0.1' }],
          },
        },
      ],
    ]);
  });

  test('GC: a list, an empty one, none', async () => {
    const key = 'cni.dev/valid-attachments';
    const { attachment, ...where } = place;
    expect((await call('GC', { [key]: [{ containerID: 'a', ifname: 'b' }] })).calls).toEqual([
      ['collect', { ...where, network: attachment.network, valid: [{ containerId: 'a', ifname: 'b' }] }],
    ]);
    expect((await call('GC', { [key]: null })).calls).toEqual([
      ['collect', { ...where, network: attachment.network, valid: [] }],
    ]);
    expect((await call('GC')).calls).toEqual([]);
  });

  test.each([
    ['no lease, no pods', { free: true, used: false }, false, 50],
    ['no lease, and pods that have lost their way', { free: true, used: true }, false, 51],
    ['no address left', { free: false, used: true }, true, 50],
    ['all well', { free: true, used: true }, true, undefined],
  ])('STATUS: %s', async (_what, state, hasLease, code) => {
    const node = () => {
      if (hasLease) return network;
      throw new CniError(cniCodes.tryAgainLater, 'no lease yet');
    };
    const { wiring } = recordingWiring(undefined, state);
    const stdin = JSON.stringify(config);
    const output = await runPlugin({ env: { CNI_COMMAND: 'STATUS' }, stdin }, { wiring, node });
    expect(output.stdout === '' ? undefined : JSON.parse(output.stdout).code).toBe(code);
  });
});

describe('errors', () => {
  test.each([
    ['ADD', new CniError(11, 'busy', { details: 'why' }), { code: 11, msg: 'busy', details: 'why' }],
    ['DEL', new KernelError({ operation: 'delete link', object: 'x', errno: 1 }), { code: 100 }],
    ['CHECK', new TypeError('a fault of ours'), { code: 7 }],
    ['ADD', new TypeError('a fault of ours'), { code: 999, msg: 'a fault of ours' }],
  ])('what %s may meet ($#)', async (command, refusal, expected) => {
    const { exitCode, answer } = await call(command, { cniVersion: '0.4.0' }, refusal);
    expect(exitCode).toBe(1);
    expect(answer).toMatchObject({ cniVersion: '0.4.0', ...expected });
  });

  test.each([
    ['CHECK', '0.3.1', 'config version does not allow CHECK'],
    ['GC', '1.0.0', 'config version does not allow GC'],
    ['STATUS', '1.0.0', 'config version does not allow STATUS'],
    ['ADD', '0.2.1', 'incompatible CNI versions'],
    ['DEL', '2.0.0', 'incompatible CNI versions'],
  ])('%s in version %s: %s', async (command, cniVersion, msg) => {
    expect((await call(command, { cniVersion })).answer).toMatchObject({ code: 1, msg });
  });

  test('a version that we do not speak is not claimed in the answer', async () => {
    expect((await call('ADD', { cniVersion: '9.0.0' })).answer.cniVersion).toBe('1.1.0');
  });
});

describe('whatever comes', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('abc', 'eth0', '/run/netns/x', '../x', '', '\0', 'a\r\nb'),
  );
  const environment = fc.record(
    {
      CNI_COMMAND: fc.oneof(fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'FOO'), word),
      CNI_CONTAINERID: word,
      CNI_NETNS: word,
      CNI_IFNAME: word,
      CNI_ARGS: word,
    },
    { requiredKeys: [] },
  );
  const member = fc.constantFrom(
    'cniVersion',
    'CNIVERSION',
    'name',
    'bridge',
    'mtu',
    'ipam',
    'dns',
    'prevResult',
    'runDirectory',
    'runtimeConfig',
    'cni.dev/valid-attachments',
    '__proto__',
  );
  const structured = fc
    .tuple(
      fc.dictionary(member, fc.jsonValue()),
      fc.constantFrom({}, config, { ...config, cniVersion: '0.4.0' }),
    )
    .map(([some, known]) => JSON.stringify({ ...some, ...known }));
  const stdin = fc.oneof(
    structured,
    fc.json(),
    fc.string({ unit: 'binary' }),
    fc.constant(JSON.stringify(config)),
  );

  test('it answers: success, or one JSON document that is an error; names are safe in paths', async () => {
    const { wiring, calls } = recordingWiring();
    await fc.assert(
      fc.asyncProperty(environment, stdin, async (given, input) => {
        const { exitCode, stdout } = await runPlugin({ env: given, stdin: input }, contextOf(wiring));
        const answer = stdout === '' ? undefined : JSON.parse(stdout);
        if (exitCode === 1)
          expect(answer).toMatchObject({ code: expect.any(Number), msg: expect.any(String) });
        if (given.CNI_COMMAND === 'ADD') expect(answer).toBeDefined();
        // Nothing but these may be refused by code 999.
        expect(answer?.code).not.toBe(999);
      }),
      // Chance seldom makes a call that names everything rightly: one is sure.
      { numRuns: 3000, examples: [[{ ...env, CNI_COMMAND: 'DEL' }, JSON.stringify(config)]] },
    );
    const places = new Set<string>();
    for (const [, { attachment, ipamDirectory }] of calls as [string, PlacedCall][]) {
      const parts = [attachment?.network, attachment?.containerId, attachment?.ifname];
      expect(parts.join(' ')).toMatch(/^[a-zA-Z0-9_@.+ -]*$/);
      // A pod without addresses has none.
      if (ipamDirectory === undefined) continue;
      expect(ipamDirectory).toMatch(/^\//);
      expect(ipamDirectory).not.toMatch(/\.\.|\0/);
      places.add(ipamDirectory);
    }
    expect(places.size).toBeGreaterThan(0);
  });
});
