import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createManualClock, type ManualClock } from '../../runtime/manual-clock.ts';
import { FakeApiServer } from '../../test/store/fake-api-server.ts';
import { until } from '../../test/store/until.ts';
import { KubeClient } from './api/kube-client.ts';
import { EventRecorder } from './event-recorder.ts';
import { flannelPrefix } from './node-lease.ts';
import { NodeReporter } from './node-reporter.ts';
import { parseNode } from './parse-node.ts';

const minute = 60_000;
const ready = { ready: true, blockers: [], problems: [] };
const blocked = { ready: false, blockers: ['there is no lease', 'no bridge'], problems: [] };

let server: FakeApiServer;
let client: KubeClient;
let clock: ManualClock;
let events: EventRecorder;
let reporter: NodeReporter;
let troubles: (string | undefined)[];

beforeEach(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient({
    access: { server: server.url, credentials: async () => ({ headers: {}, tls: {} }), refused() {} },
  });
  clock = createManualClock();
  troubles = [];
  server.put('nodes', { kind: 'Node', metadata: { name: 'n1' } });
  open();
});

afterEach(async () => {
  reporter.close();
  events.close();
  client.close();
  await server.stop();
});

/** `shows`: what the watch has shown of our Node; what the server has if absent. */
function open({ setsCondition = true, shows = () => server.get('nodes', 'n1') } = {}): void {
  events = new EventRecorder({ client, clock });
  reporter = new NodeReporter({
    client,
    events,
    setsCondition,
    ownNode: () => parseNode(shows(), flannelPrefix),
    clock,
    random: () => 0.5,
    onTrouble: (error) => troubles.push(error?.message),
  });
}

/** "STATUS REASON MESSAGE" */
function condition(): string | undefined {
  const conditions: unknown = Object(server.get('nodes', 'n1')?.['status']).conditions;
  if (!Array.isArray(conditions)) return undefined;
  const { status, reason, message } = Object(
    conditions.find((one: unknown) => Object(one).type === 'NetworkUnavailable'),
  );
  return `${status} ${reason} ${message}`;
}

const up = 'False NetloomIsUp Netloom is running on this node';
const down = 'True NetloomIsNotReady there is no lease; no bridge';
const patches = () => server.requests.filter(({ verb }) => verb === 'patch').length;
const told = () =>
  server
    .list('events')
    .map(({ reason }) => reason)
    .sort();

test('ready is said at once, and once', async () => {
  for (let i = 0; i < 3; i++) reporter.hear(ready);
  await until(() => condition() === up);
  for (let i = 0; i < 10; i++) {
    reporter.hear(ready);
    await clock.advance(minute);
  }
  expect(patches()).toBe(1);
  expect(told()).toEqual(['NetworkReady']);
});

test('not ready is said after a minute, though no report comes any more', async () => {
  reporter.hear(ready);
  await until(() => condition() === up);
  reporter.hear(blocked);
  await clock.advance(minute - 1);
  expect(condition()).toBe(up);
  await clock.advance(1);
  await until(() => condition() === down);
  await until(() => told().join() === 'NetworkNotReady,NetworkReady');
  // And ready again at once.
  reporter.hear(ready);
  await until(() => condition() === up);
});

test('a minute of being mended is nobody’s business; the minute begins anew', async () => {
  reporter.hear(ready);
  await until(() => condition() === up);
  for (let i = 0; i < 5; i++) {
    reporter.hear(blocked);
    await clock.advance(minute - 1);
    reporter.hear(ready);
    await clock.advance(minute);
  }
  expect([condition(), patches()]).toEqual([up, 1]);
});

test('a node that was never ready says so after a minute too', async () => {
  reporter.hear(blocked);
  await clock.advance(minute);
  await until(() => condition() === down);
});

test('what the watch does not show yet is not said twice, and not taken for the opposite', async () => {
  const old = server.get('nodes', 'n1');
  reporter.close();
  open({ shows: () => old });
  reporter.hear(blocked);
  await clock.advance(minute);
  await until(() => condition() === down);
  await clock.advance(5000);
  reporter.hear(blocked);
  await clock.advance(0);
  expect(patches()).toBe(1);
  reporter.hear(ready);
  await until(() => condition() === up);
  expect(patches()).toBe(2);
});

test('conditions of others stay; one that says the same is left as it is', async () => {
  const pressure = { type: 'MemoryPressure', status: 'False' };
  const other = { type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp', message: 'flannel' };
  server.put('nodes', { metadata: { name: 'n1' }, status: { conditions: [pressure, other] } });
  reporter.hear(ready);
  await clock.advance(minute);
  expect(patches()).toBe(0);
  reporter.hear(blocked);
  await clock.advance(minute);
  await until(() => condition() === down);
  expect(server.get('nodes', 'n1')?.['status']).toMatchObject({ conditions: [pressure, { status: 'True' }] });
});

test('without --set-node-network-unavailable the condition is not touched; events come', async () => {
  reporter.close();
  open({ setsCondition: false });
  reporter.hear(ready);
  reporter.hear(blocked);
  await clock.advance(10 * minute);
  await until(() => told().join() === 'NetworkNotReady,NetworkReady');
  expect([condition(), patches()]).toEqual([undefined, 0]);
});

test('a server that does not take it is told of, and asked again after a while, and half as much by chance', async () => {
  server.fault = ({ verb }) => (verb === 'patch' ? 403 : undefined);
  reporter.hear(ready);
  await until(() => troubles.length === 1);
  expect(troubles[0]).toMatch(/^Cannot patch nodes\/n1\/status at http:.*: 403 /);
  await clock.advance(22_499);
  reporter.hear(ready);
  await clock.advance(0);
  expect(patches()).toBe(1);
  server.fault = () => undefined;
  await clock.advance(1);
  await until(() => condition() === up);
  await until(() => troubles.length === 2);
  expect(troubles[1]).toBeUndefined();
});

test('each problem is an event: about the Node that it names, else about ours', async () => {
  const problems = [
    { object: 'nodes/n2', message: 'Cannot read lease' },
    { object: '/etc/kube-flannel/net-conf.json', message: 'it is not JSON' },
  ];
  for (let i = 0; i < 3; i++) reporter.hear({ ...ready, problems });
  await clock.advance(minute);
  await until(() => told().length === 3);
  const about = server
    .list('events')
    .map(({ reason, involvedObject }) => `${reason} ${Object(involvedObject).name}`);
  expect(about.sort()).toEqual(['LeaseRefused n2', 'NetworkProblem n1', 'NetworkReady n1']);
});

test('nothing is said after the end', async () => {
  reporter.hear(blocked);
  reporter.close();
  events.close();
  await clock.advance(10 * minute);
  expect([server.requests.length, clock.timers]).toEqual([0, 0]);
});
